"""Log probabilities in the shape of ``/v1/completions``: lists that run beside the tokens."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Any

from rushlight.sampling import TokenLogprobs
from rushlight.server.shapes import token_bytes
from rushlight.text import Tokenizer


class TextLogprobs:
    """Writes the lists piece by piece, as tokens come.

    Args:
        tokenizer: of the model.
        offset: where in the text the first token begins.
    """

    def __init__(self, tokenizer: Tokenizer, offset: int = 0) -> None:
        self._tokenizer = tokenizer
        self._offset = offset
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def lists(self, ids: Sequence[int], entries: Iterable[TokenLogprobs | None]) -> dict[str, Any]:
        """The lists of some tokens; one that nothing foresees has no log probabilities."""
        found: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }
        for i, entry in zip(ids, entries, strict=True):
            found["tokens"].append(self._name(i))
            found["text_offset"].append(self._offset)
            found["token_logprobs"].append(None if entry is None else entry.logprob)
            found["top_logprobs"].append(None if entry is None else self._top(entry))
            self._offset += len(self._utf8.decode(token_bytes(i, self._tokenizer)))
        return found

    def _top(self, entry: TokenLogprobs) -> dict[str, float]:
        """The likeliest tokens and the chosen one."""
        return {self._name(i): logprob for i, logprob in (*entry.top, (entry.token_id, entry.logprob))}

    def _name(self, token_id: int) -> str:
        """A token's text; bytes that are none are told as OpenAI tells them, so that no two look alike."""
        data = token_bytes(token_id, self._tokenizer)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def prompt_logprobs(
    entries: Sequence[TokenLogprobs | None], tokenizer: Tokenizer
) -> list[dict[str, Any] | None]:
    """The log probabilities of a prompt in vLLM's shape: for each token a table by token id."""
    return [None if entry is None else _table(entry, tokenizer) for entry in entries]


def _table(entry: TokenLogprobs, tokenizer: Tokenizer) -> dict[str, Any]:
    ranks: dict[int, tuple[int | None, float]]
    ranks = {i: (rank, logprob) for rank, (i, logprob) in enumerate(entry.top, 1)}
    ranks.setdefault(entry.token_id, (None, entry.logprob))
    return {
        str(i): {
            "logprob": logprob,
            "rank": rank,
            "decoded_token": token_bytes(i, tokenizer).decode("utf-8", "replace"),
        }
        for i, (rank, logprob) in ranks.items()
    }
