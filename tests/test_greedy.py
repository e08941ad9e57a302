"""Greedy text of the two real models against llama.cpp's (tests/goldens/make_greedy.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rushlight import LLM, SamplingParams

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "greedy.json").read_text(encoding="utf-8"))[
    "models"
]
N_CTX = 2048


@pytest.fixture(scope="module", params=["smollm2", "gemma3-270m"])
def model(request: pytest.FixtureRequest) -> Iterator[tuple[LLM, dict[str, Any]]]:
    path = request.getfixturevalue("smollm2_path" if request.param == "smollm2" else "gemma_path")
    with LLM(path, n_ctx=N_CTX, kv_dtype="f32") as llm:
        yield llm, GOLDENS[request.param]


def behind(golden: dict[str, Any], step: int, token_id: int) -> float:
    """How far a token is behind the best one by llama.cpp's exact logits: 0 for the best itself."""
    exact = dict(golden["exact"][step])
    return float(max(exact.values()) - exact.get(token_id, -np.inf))


def test_prompts_have_the_same_tokens(model: tuple[LLM, dict[str, Any]]) -> None:
    llm, golden = model
    for name, case in golden["prompts"].items():
        assert llm.tokenize(case["prompt"]) == case["prompt_ids"], name


def test_greedy_text_follows_until_a_near_tie(model: tuple[LLM, dict[str, Any]]) -> None:
    """All prompts in one batch; another token is chosen only where llama.cpp's exact logits are close.

    Close is what rounding the activations to 8 bits moves llama.cpp's own logits by.
    """
    llm, golden = model
    cases = list(golden["prompts"].values())
    params = [SamplingParams(max_tokens=len(case["ids"]), temperature=0) for case in cases]
    outs = llm.generate([case["prompt_ids"] for case in cases], params)
    whole = 0
    for case, out in zip(cases, outs, strict=True):
        differs = [i for i, (a, b) in enumerate(zip(out.token_ids, case["ids"], strict=False)) if a != b]
        if differs:
            step = differs[0]
            assert behind(case, step, out.token_ids[step]) < golden["margin_change"]["p99"], case["prompt"]
        else:
            assert out.token_ids == case["ids"]
            whole += 1
    assert whole >= len(cases) // 4


def test_logits_are_as_close_to_the_truth_as_those_of_llama_cpp(model: tuple[LLM, dict[str, Any]]) -> None:
    """Over llama.cpp's own text, at each step, for its five likeliest tokens."""
    llm, golden = model
    ours, theirs, agreed, steps = 0.0, 0.0, 0, 0
    for case in golden["prompts"].values():
        ids = case["prompt_ids"] + case["ids"]
        rows = llm.logits(ids[:-1])[len(case["prompt_ids"]) - 1 :]
        for row, chosen, top, exact in zip(rows, case["ids"], case["top"], case["exact"], strict=True):
            truth, rounded = dict(map(tuple, exact)), dict(map(tuple, top))
            shared = [i for i in rounded if i in truth]
            ours += sum((float(row[i]) - truth[i]) ** 2 for i in shared)
            theirs += sum((rounded[i] - truth[i]) ** 2 for i in shared)
            agreed += int(row.argmax()) == chosen
            steps += 1
    assert ours < 1.2 * theirs
    assert agreed / steps > golden["agreement"] - 0.03
