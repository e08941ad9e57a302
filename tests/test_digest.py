"""The digest that people compare answers by."""

from __future__ import annotations

import hashlib

import numpy as np
from helpers.batches import TINY

from rushlight import LLM, SamplingParams
from rushlight.digest import SHOWN, digest


def test_a_digest_can_be_computed_by_anyone() -> None:
    wanted = hashlib.sha256(np.array([3, 7, 300, 2**32 - 1, 5, 0], "<u4").tobytes()).hexdigest()
    assert digest([7, 300, 2**32 - 1], [5, 0]) == wanted
    assert digest([], []) == hashlib.sha256(bytes(4)).hexdigest()
    assert 8 <= SHOWN < len(wanted)


def test_prompt_and_answer_are_told_apart() -> None:
    assert len({digest([1, 2], [3]), digest([1], [2, 3]), digest([1, 2, 3], []), digest([1, 2], [4])}) == 4


def test_answers_carry_it() -> None:
    params = SamplingParams(max_tokens=5, seed=3)
    with LLM(TINY / "llama-f32.gguf", n_threads=1) as llm:
        prompt = llm.tokenize("the lamp")
        out = llm.generate("the lamp", params)
        last = list(llm.stream("the lamp", params))[-1]
    assert out.digest == digest(prompt, out.token_ids) == last.digest
