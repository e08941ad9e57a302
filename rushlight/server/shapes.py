"""Parts of OpenAI's answers that several endpoints share: usage, log probabilities, timings, ids."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from rushlight.completion import Timings, Usage
from rushlight.sampling import TokenLogprobs
from rushlight.text import Tokenizer


def new_id(prefix: str) -> str:
    """An id that nothing else has."""
    return f"{prefix}{secrets.token_hex(12)}"


def total_usage(usages: Sequence[Usage], n_prompts: int = 1) -> Usage:
    """The usage of a request: each of its prompts is counted once, however many choices it has."""
    n = len(usages) // n_prompts
    return Usage(
        sum(usage.prompt_tokens for usage in usages[::n]),
        sum(usage.completion_tokens for usage in usages),
        sum(usage.cached_tokens for usage in usages[::n]),
        sum(usage.reasoning_tokens for usage in usages),
    )


def usage_json(usage: Usage, n_dropped: int = 0) -> dict[str, Any]:
    """Usage as chats and completions tell it, with the tokens that were dropped from the prompt, if any."""
    dropped = {"truncated_tokens": n_dropped} if n_dropped else {}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, **dropped},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def timings_json(timings: Timings) -> dict[str, Any]:
    """Timings in llama.cpp's names: an extension."""
    prompt, predicted = timings.prompt_seconds, timings.completion_seconds
    return {
        "prompt_n": timings.prompt_tokens,
        "prompt_ms": round(1e3 * prompt, 3),
        "prompt_per_second": _rate(timings.prompt_tokens, prompt),
        "predicted_n": timings.completion_tokens,
        "predicted_ms": round(1e3 * predicted, 3),
        "predicted_per_second": _rate(timings.completion_tokens - 1, predicted),
    }


def chat_logprobs(entries: Iterable[TokenLogprobs], tokenizer: Tokenizer) -> dict[str, Any]:
    """Log probabilities as chats tell them; an end token is no part of the content."""
    return {
        "content": [
            {
                **_token(entry.token_id, entry.logprob, tokenizer),
                "top_logprobs": [_token(i, logprob, tokenizer) for i, logprob in entry.top],
            }
            for entry in entries
            if entry.token_id not in tokenizer.eog_ids
        ],
        "refusal": None,
    }


def token_bytes(token_id: int, tokenizer: Tokenizer) -> bytes:
    """The bytes of a token; rows that a model has beyond its vocabulary have none."""
    return tokenizer.token_bytes(token_id) if token_id < tokenizer.n_vocab else b""


def _token(token_id: int, logprob: float, tokenizer: Tokenizer) -> dict[str, Any]:
    data = token_bytes(token_id, tokenizer)
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


def _rate(n: int, seconds: float) -> float | None:
    return round(n / seconds, 2) if n > 0 and seconds > 0 else None
