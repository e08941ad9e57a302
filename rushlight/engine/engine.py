"""The one generation loop: every text that Rushlight writes comes out of `Engine.step`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from rushlight.backends.base import Executor, Int64Array, Limits
from rushlight.backends.cache import CacheLayout
from rushlight.engine.generation import Generation
from rushlight.engine.kv_blocks import KVBlocks
from rushlight.engine.pace import Pace
from rushlight.engine.scheduler import Chunk, Scheduler
from rushlight.engine.sequence import Listener, Matcher, Sequence, Status
from rushlight.engine.stats import BlockStats, Counters, EngineStats
from rushlight.engine.step_runner import StepRunner
from rushlight.engine.stride import MOST_STEPS, Stride
from rushlight.errors import ContextOverflow, InvalidParameter
from rushlight.params import EngineOptions, SamplingParams
from rushlight.sampling import draw_seed

if TYPE_CHECKING:
    from rushlight.engine.disk.cache import DiskCache
    from rushlight.engine.disk.prefixes import DiskPrefixes


_NO_IDS = np.empty(0, np.int64)


class Engine:
    """Sequences, their scheduler and their KV blocks, on a model bound to a backend.

    One thread at a time may call it, all methods alike but `sequence`, `stats` and `hurry`; `Driver` sees to
    that.

    Args:
        executor: the model; of it the engine knows nothing more.
        layout: the model's cache groups.
        limits: the sizes that the executor was made with.
        n_vocab: V.
        eog_ids: tokens that end an answer.
        prefix_cache, step_seconds: as in `EngineOptions`.
        most_steps: most tokens of a sequence that one call of the executor computes.
        clock: tells seconds.
        disk: where blocks of prompts outlive this engine, which closes it; None: nowhere.

    Raises:
        InvalidParameter: the blocks do not hold one sequence as long as the context.
    """

    def __init__(
        self,
        executor: Executor,
        layout: CacheLayout,
        limits: Limits,
        *,
        n_vocab: int,
        eog_ids: Iterable[int] = (),
        prefix_cache: bool = True,
        step_seconds: float = EngineOptions.step_seconds,
        most_steps: int = MOST_STEPS,
        clock: Callable[[], float] = time.perf_counter,
        disk: DiskCache | None = None,
    ) -> None:
        offer = None if disk is None else self._offer
        blocks = KVBlocks(layout, limits.n_blocks, limits.n_tokens, executor.copy_block, prefix_cache, offer)
        if not blocks.fits(limits.n_ctx):
            raise InvalidParameter(
                f"The KV cache, {limits.n_blocks} blocks, does not hold one context of {limits.n_ctx} tokens."
            )
        self.limits = limits
        self._n_vocab = n_vocab
        ends = frozenset(eog_ids)
        self._end_ids = np.array(sorted(ends), np.int64)
        self._executor = executor
        self._runner = StepRunner(executor)
        self._blocks = blocks
        self._counters = Counters()
        self._disk = disk
        self._prefixes = None if disk is None else self._disk_prefixes(disk)
        pace = Pace(step_seconds, limits.n_tokens)
        self._scheduler = Scheduler(
            blocks, limits, pace, self._counters, self._prefixes, not layout.is_causal
        )
        self._stride = Stride(limits.n_ctx, most_steps)
        self._generation = Generation(executor, blocks, self._scheduler, self._counters, ends, limits.n_ctx)
        self._clock = clock
        self._n_arrived = 0

    @property
    def has_work(self) -> bool:
        """Whether any sequence waits or runs."""
        return bool(self._scheduler.waiting or self._scheduler.running)

    @property
    def n_finished(self) -> int:
        """Sequences that have ended. Any thread may ask."""
        return sum(self._counters.finished.values())

    def stats(self) -> EngineStats:
        """What the engine does and has done. Any thread may call this; it takes no lock."""
        totals = vars(self._counters)
        return EngineStats(
            n_waiting=len(self._scheduler.waiting),
            n_running=len(self._scheduler.running),
            blocks=tuple(BlockStats(p.n_used, p.n_kept, p.n_blocks) for p in self._blocks.pools),
            **{**totals, "finished": dict(self._counters.finished)},
        )

    def sequence(
        self,
        prompt_ids: Iterable[int],
        params: SamplingParams | None = None,
        *,
        listener: Listener | None = None,
        prompt_logits: bool = False,
        every_row: bool = True,
        matcher: Matcher | None = None,
    ) -> Sequence:
        """Check a prompt and its parameters; the sequence is not submitted yet. Any thread may call this.

        Args:
            prompt_ids: at least one token id.
            params: how to sample; None for the defaults.
            listener: hears of every token.
            prompt_logits: gather logits of the prompt instead of generating.
            every_row: those after each of its tokens, or only those after the last.
            matcher: at its beginning, where a constraint holds the sequence.

        Raises:
            InvalidParameter: an empty prompt, or a token id outside the vocabulary.
            ContextOverflow: the prompt leaves no room for an answer in the context.
        """
        params = params or SamplingParams()
        ids = tuple(int(i) for i in prompt_ids)
        if not ids:
            raise InvalidParameter("The prompt is empty; it must hold at least one token.")
        self._check_ids("prompt", ids)
        self._check_ids("logit_bias", params.logit_bias)
        n_ctx = self.limits.n_ctx
        seed = draw_seed() if params.seed is None else params.seed
        params = dataclasses.replace(params, seed=seed)
        sequence = Sequence(ids, params, seed, listener, prompt_logits, matcher)
        if not every_row:
            sequence.n_read = len(ids) - 1
        if len(ids) + sequence.writes > n_ctx:
            raise ContextOverflow(
                f"The prompt has {len(ids)} tokens, but the context of {n_ctx} must hold it"
                f"{' and its answer' if sequence.writes else ''}; shorten the prompt or load the model with "
                "a larger n_ctx."
            )
        return sequence

    def submit(self, sequence: Sequence) -> None:
        """Let a sequence of `sequence` wait for its turn."""
        sequence.arrival = self._n_arrived
        self._n_arrived += 1
        self._scheduler.add(sequence)

    def step(self) -> None:
        """Compute the next tokens of some sequences; does nothing where none waits or runs."""
        if not (chunks := self._scheduler.schedule()):
            return None if self._prefixes is None else self._prefixes.wait()
        decodes = not self._scheduler.prefills
        n_steps = self._stride.n_steps(chunks) if decodes and not self._scheduler.waiting else 1
        began = self._clock()
        try:
            if n_steps > 1:
                steps = self._runner.decode(chunks, n_steps, self._ends_of(chunks))
            else:
                logits, argmax = self._runner.run(chunks), self._executor.argmax()
        except Exception as error:
            return self.fail((chunk.sequence for chunk in chunks), error)
        seconds = self._clock() - began
        if decodes:
            self._stride.note(len(steps) if n_steps > 1 else 1, seconds)
        else:
            self._scheduler.note(chunks, seconds)
        if n_steps > 1:
            self._generation.take_steps(chunks, steps)
        else:
            self._generation.take(chunks, logits, argmax)

    def hurry(self) -> None:
        """Let the `step` that runs end soon, for somebody waits for its end. Any thread may call this."""
        self._executor.hurry()

    def abort(self, sequence: Sequence) -> None:
        """End a sequence now, with "abort"; does nothing where it is finished or was never submitted."""
        if sequence.arrival >= 0 and sequence.status is not Status.FINISHED:
            self._generation.finish(sequence, "abort")

    def fail(self, sequences: Iterable[Sequence] | None, error: BaseException) -> None:
        """End sequences (None: all of them) with "error"."""
        everyone = [*self._scheduler.running, *self._scheduler.waiting]
        for sequence in everyone if sequences is None else sequences:
            self._generation.fail(sequence, error)

    def close(self) -> None:
        """Give the executor's memory and threads back, once the cache on disk has what it was offered."""
        if self._disk is not None:
            self._disk.close()
        self._executor.close()

    def _ends_of(self, chunks: list[Chunk]) -> Int64Array:
        """The tokens that end one of the chunks' sequences."""
        return _NO_IDS if all(chunk.sequence.params.ignore_eos for chunk in chunks) else self._end_ids

    def _disk_prefixes(self, disk: DiskCache) -> DiskPrefixes:
        from rushlight.engine.disk.prefixes import DiskPrefixes  # what it brings in costs time at each start

        return DiskPrefixes(self._blocks, disk, self._executor.write_block, self._counters)

    def _offer(self, group: int, key: bytes, block: int) -> None:
        """Let the cache on disk have a block."""
        if self._disk is not None:
            self._disk.offer((group, key), lambda: self._executor.read_block(group, block))

    def _check_ids(self, what: str, ids: Iterable[int]) -> None:
        for i in ids:
            if not 0 <= i < self._n_vocab:
                raise InvalidParameter(
                    f"The {what} holds token id {i}; the vocabulary has ids 0 to {self._n_vocab - 1}."
                )
