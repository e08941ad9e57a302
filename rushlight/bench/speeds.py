"""Tokens a second by the engine's own timings: everything between a request and its tokens counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rushlight.bench.plan import BenchPlan
from rushlight.completion import Timings
from rushlight.llm import LLM
from rushlight.params import SamplingParams

Done = Callable[[], None]
SEED = 0


class Workload:
    """The prompts of a plan: random tokens behind a beginning of `depth` tokens that they share."""

    def __init__(self, llm: LLM, plan: BenchPlan, done: Done) -> None:
        """Fill the cache.

        Args:
            llm: loaded with a prefix cache where the plan has a depth, so that it is computed once.
            plan: what to measure.
            done: called behind every measurement.
        """
        self._llm, self._plan, self._done = llm, plan, done
        self._random = np.random.default_rng(SEED)
        self._beginning = self._tokens(plan.depth)
        if self._beginning:
            self._generate(self._beginning, 1)

    def prefill(self) -> float:
        """Prompt tokens a second."""
        # Of a last block that is not full, some tokens of the beginning are computed again; they count.
        timings = self._generate(self._beginning + self._tokens(self._plan.n_prompt), 1)
        self._done()
        return timings.prompt_tokens / timings.prompt_seconds

    def decode(self) -> float:
        """Generated tokens a second over all sequences."""
        n_decode, n_sequences = self._plan.n_decode, self._plan.n_sequences
        prompts = [self._beginning + self._tokens(1) for _ in range(n_sequences)]
        answers = self._llm.generate(prompts, _params(n_decode + 1))
        self._done()
        # The first token comes out of the prompt's step; the longest answer lasts as long as all of them.
        return n_sequences * n_decode / max(answer.timings.completion_seconds for answer in answers)

    def _generate(self, prompt: list[int], n_tokens: int) -> Timings:
        return self._llm.generate(prompt, _params(n_tokens)).timings

    def _tokens(self, n: int) -> list[int]:
        """Random token ids from the middle of the vocabulary, where no control tokens are."""
        n_vocab = self._llm.tokenizer.n_vocab
        return [int(i) for i in self._random.integers(n_vocab // 4, max(n_vocab // 2, 1), n)]


def _params(max_tokens: int) -> SamplingParams:
    return SamplingParams(max_tokens=max_tokens, temperature=0, ignore_eos=True)
