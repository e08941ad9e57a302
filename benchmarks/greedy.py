"""Greedy tokens of Rushlight beside those of peers that tell theirs, compared before anything is timed.

Engines round activations differently, so where two tokens are nearly equally likely they may part; a
difference is reported with its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.process import PeerError
from benchmarks.python_peer import PythonPeer
from rushlight import LLM, SamplingParams

PROMPTS = (
    "The capital of France is",
    "def fibonacci(n):\n",
    "Ice hockey is played on",
)


def check_greedy(model: str, file: Path, peers: list[PythonPeer], n_tokens: int) -> list[dict[str, Any]]:
    """For each peer that tells token ids: how many were equal, and where the first differed."""
    params = SamplingParams(max_tokens=n_tokens, temperature=0, ignore_eos=True)
    with LLM(file, n_ctx=256) as llm:
        prompts = [llm.tokenize(text) for text in PROMPTS]
        ours = [answer.token_ids for answer in llm.generate(prompts, params)]
    rows = []
    for peer in peers:
        try:
            theirs = [peer.greedy(file, prompt, n_tokens) for prompt in prompts]
        except PeerError as error:
            row: dict[str, Any] = {"error": str(error)}
        else:
            row = {"tokens": n_tokens * len(ours), **_compare(ours, theirs)}
        rows.append({"part": "greedy", "model": model, "engine": peer.name, **row})
    return rows


def _compare(ours: list[list[int]], theirs: list[list[int]]) -> dict[str, Any]:
    firsts = [
        next((i for i, (a, b) in enumerate(zip(mine, other, strict=True)) if a != b), None)
        for mine, other in zip(ours, theirs, strict=True)
    ]
    return {"equal": all(first is None for first in firsts), "first_difference": firsts}
