"""What lm-eval's local-completions (0.4) sends and reads, as its source has it; the tool itself is large.

Sources: lm_eval/models/openai_completions.py, api_models.py, and RemoteTokenizer of lm_eval/utils.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from running import RunningServer

CASES = [
    ("The capital of France is", " Paris"),
    ("The capital of France is", " Berlin"),
    ("One two", " three four"),
]


def encode(server: RunningServer, text: str) -> list[int]:
    """As its remote tokenizer does."""
    body = {"prompt": text, "add_special_tokens": False}
    return list(server.post("/tokenize", body).raise_for_status().json()["tokens"])


def score(server: RunningServer, prompt: Any) -> list[dict[str, Any]]:
    """The request of a log-likelihood."""
    body = {"model": "smollm2", "prompt": prompt, "temperature": 0, "max_tokens": 1, "logprobs": 1}
    answer = server.post("/v1/completions", {**body, "seed": 1234, "echo": True}).raise_for_status().json()
    return sorted(answer["choices"], key=lambda choice: int(choice["index"]))


def read(choice: dict[str, Any], n_context: int) -> tuple[float, bool]:
    """The log-likelihood of what follows the context, and whether it is what greedy sampling gives."""
    logprobs = choice["logprobs"]
    tokens, tops = logprobs["token_logprobs"][n_context:-1], logprobs["top_logprobs"][n_context:-1]
    return sum(tokens), all(token == max(top.values()) for token, top in zip(tokens, tops, strict=True))


def expected(server: RunningServer, context: list[int], rest: list[int]) -> tuple[float, bool]:
    """The same from the logits."""
    rows = server.llm.logits(context + rest)[len(context) - 1 : -1].astype(np.float64)
    logprobs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    greedy = bool((rows.argmax(axis=1) == rest).all())
    return float(logprobs[np.arange(len(rest)), rest].sum()), greedy


def test_choices_are_scored(smollm2: RunningServer) -> None:
    encoded = [(encode(smollm2, context), encode(smollm2, rest)) for context, rest in CASES]
    assert encoded[0] == (smollm2.llm.tokenize(CASES[0][0], False), smollm2.llm.tokenize(CASES[0][1], False))
    together = score(smollm2, [context + rest for context, rest in encoded])
    for (context, rest), choice in zip(encoded, together, strict=True):
        (alone,) = score(smollm2, [context + rest])
        assert read(alone, len(context)) == read(choice, len(context))
        found, greedy = read(choice, len(context))
        wanted, is_greedy = expected(smollm2, context, rest)
        assert found == pytest.approx(wanted, abs=1e-4) and greedy == is_greedy
    assert read(together[0], len(encoded[0][0]))[1]
    assert not read(together[1], len(encoded[1][0]))[1]
    (text,) = score(smollm2, "".join(CASES[0]))  # tokenized_requests=False
    assert read(text, len(encoded[0][0])) == read(together[0], len(encoded[0][0]))


def test_texts_are_generated(smollm2: RunningServer) -> None:
    body = {
        "model": "smollm2",
        "max_tokens": 12,
        "temperature": 0,
        "stop": ["\n", "<|im_end|>"],
        "seed": 1234,
    }
    prompts = [encode(smollm2, context) for context, _ in CASES]
    choices = (
        smollm2.post("/v1/completions", {**body, "prompt": prompts}).raise_for_status().json()["choices"]
    )
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert "Paris" in choices[0]["text"] and "\n" not in choices[0]["text"]


def test_the_remote_tokenizer_is_found(smollm2: RunningServer) -> None:
    info = smollm2.http.get("/tokenizer_info").raise_for_status().json()
    assert len(encode(smollm2, info["eos_token"])) == len(encode(smollm2, info["bos_token"])) == 1
    ids = encode(smollm2, "Hello")
    assert smollm2.post("/detokenize", {"tokens": ids}).json()["prompt"] == "Hello"
