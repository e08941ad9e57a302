"""What the engine does and has done, in numbers that any thread may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from rushlight.engine.sequence import FinishReason


class BlockStats(NamedTuple):
    """The blocks of one cache group.

    Attributes:
        used: held by sequences that run.
        kept: unused, but kept for their content, which a prompt may find again.
        total: all blocks, the free ones included.
    """

    used: int
    kept: int
    total: int


class EngineStats(NamedTuple):
    """The state of an engine at one moment, and what it did since it was made.

    The numbers are read while the engine goes on, so they may stand a moment apart.

    Attributes:
        n_waiting: sequences that wait for their turn.
        n_running: sequences that run.
        blocks: one a cache group.
        steps: steps computed.
        prompt_tokens: tokens of the prompts that began to run.
        cached_tokens: those of them that were found in the prefix cache.
        disk_blocks: blocks that were brought from the prefix cache on disk.
        computed_tokens: tokens computed, those that were computed again after a preemption included.
        generated_tokens: tokens generated.
        preemptions: how often a sequence had to give its blocks up and wait again.
        finished: how many sequences ended, by reason; every reason has an entry.
    """

    n_waiting: int
    n_running: int
    blocks: tuple[BlockStats, ...]
    steps: int
    prompt_tokens: int
    cached_tokens: int
    disk_blocks: int
    computed_tokens: int
    generated_tokens: int
    preemptions: int
    finished: Mapping[FinishReason, int]


@dataclass
class Counters:
    """The totals of `EngineStats`, which the engine's thread adds to."""

    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    disk_blocks: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    preemptions: int = 0
    finished: dict[FinishReason, int] = field(
        default_factory=lambda: dict.fromkeys(get_args(FinishReason), 0)
    )
