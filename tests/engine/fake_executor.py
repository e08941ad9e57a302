"""A model that is all memory: what it says next hashes everything that its token can see.

Each token stores a value in every cache group: a hash of its id, its position and all the values that its
block tables let it see. A wrong block, a stale one, a missing one or one too many changes every later token.
`plain_logits` computes the same from a list of tokens, without blocks, batches or chunks.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from hashlib import blake2b

import numpy as np

from rushlight.backends.base import Limits
from rushlight.backends.batch import Batch
from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.decoding import decode_by_steps
from rushlight.drawing import Draw
from rushlight.engine.disk import DiskCache
from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence
from rushlight.engine.stride import MOST_STEPS
from rushlight.params import SamplingParams
from rushlight.row_math import NUMPY_ROWS, Argmax
from rushlight.sampling import sample

N_VOCAB = 61
EOG = 60
MIXERS = np.random.default_rng(1).integers(1, 2**63, N_VOCAB).astype(np.uint64) | np.uint64(1)


def layout_of(*windows: int | str) -> CacheLayout:
    """A layout with a layer for each window (0: none) or "state"."""
    return CacheLayout.of(
        tuple(RecurrentCache((4,)) if w == "state" else AttentionCache(1, 8, 8, int(w)) for w in windows)
    )


def digest(*parts: bytes | int) -> int:
    data = b"|".join(p if isinstance(p, bytes) else p.to_bytes(8, "little") for p in parts)
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def logits_of(value: int) -> np.ndarray:
    mixed = (np.uint64(value) * MIXERS) >> np.uint64(40)
    return mixed.astype(np.float32) / np.float32(2**21)


def plain_logits(tokens: list[int], layout: CacheLayout) -> np.ndarray:
    """The logits after every token: [T, V]."""
    values = np.zeros(len(tokens), np.uint64)
    state = 0
    for p, token in enumerate(tokens):
        seen = []
        state = digest(b"state", state, token)
        for group in layout.groups:
            low = max(0, p - group.window + 1) if group.window else 0
            seen.append(state if group.recurrent else values[low:p].tobytes())
        values[p] = digest(token, p, *seen)
    return np.array([logits_of(int(v)) for v in values])


def plain_generation(sequence: Sequence, layout: CacheLayout, n_ctx: int, eog: int | None = EOG) -> list[int]:
    """What a sequence must generate, one token at a time, alone."""
    tokens, generated, params = list(sequence.prompt_ids), [], sequence.params
    while len(tokens) < n_ctx and len(generated) != params.max_tokens:
        row = plain_logits(tokens, layout)[-1]
        generated.append(sample(row, params, generated, sequence.seed).token_id)
        tokens.append(generated[-1])
        if generated[-1] == eog and not params.ignore_eos:
            break
    return generated


class FakeExecutor:
    """An executor over blocks; it asserts all that a batch promises.

    A step takes `fixed` seconds of a clock of its own, `now`, and `per_token` for each of its tokens.
    """

    row_math = NUMPY_ROWS

    def __init__(self, layout: CacheLayout, limits: Limits, fixed: float = 0, per_token: float = 0) -> None:
        self.layout, self.limits = layout, limits
        self.fixed, self.per_token, self.now = fixed, per_token, 0.0
        self.closed = False
        self.batches: list[Batch] = []
        self.n_advances = self.n_decodes = self.n_hurries = 0
        self.pools = [
            np.full((n, 1 if group.recurrent else BLOCK_TOKENS), 0xDEAD, np.uint64)
            for n, group in zip(limits.n_blocks, layout.groups, strict=True)
        ]

    def copy_block(self, group: int, source: int, target: int) -> None:
        assert source != target
        self.pools[group][target] = self.pools[group][source]

    def read_block(self, group: int, block: int) -> bytes:
        assert not self.closed
        return self.pools[group][block].tobytes()

    def write_block(self, group: int, block: int, content: bytes) -> None:
        self.pools[group][block] = np.frombuffer(content, np.uint64)

    def close(self) -> None:
        self.closed = True

    def argmax(self) -> list[Argmax]:
        return [NUMPY_ROWS.argmax(row) for row in self.last_logits]

    def step(self, batch: Batch) -> np.ndarray:
        self.now += self.fixed + self.per_token * batch.n_tokens
        self.last_logits = self._logits(batch)
        return self.last_logits

    def advance(self, token_ids: list[int]) -> np.ndarray:
        self.n_advances += 1
        return self.step(self.batches[-1].following(token_ids))

    def decode(
        self, first: Batch | list[int], n_steps: int, end_ids: np.ndarray, draws: Items[Draw | None] = ()
    ) -> list[list[int]]:
        self.n_decodes += 1
        return decode_by_steps(self, first, n_steps, end_ids, draws)

    def hurry(self) -> None:
        self.n_hurries += 1

    def logits(self) -> np.ndarray:
        return self.last_logits

    def _logits(self, batch: Batch) -> np.ndarray:
        assert not self.closed
        self._check(batch)
        self.batches.append(batch)
        values = [self._token(batch, t) for t in range(batch.n_tokens)]
        return np.array([logits_of(values[t]) for t in batch.outputs], np.float32).reshape(-1, N_VOCAB)

    def _token(self, batch: Batch, t: int) -> int:
        p, token, s = int(batch.positions[t]), int(batch.token_ids[t]), int(batch.token_seq[t])
        seen: list[bytes | int] = []
        for group, pool, tables in zip(self.layout.groups, self.pools, batch.block_tables, strict=True):
            if group.recurrent:
                block = tables[s, 0]
                assert block >= 0
                pool[block, 0] = digest(b"state", int(pool[block, 0]) if p else 0, token)
                seen.append(int(pool[block, 0]))
            else:
                low = max(0, p - group.window + 1) if group.window else 0
                blocks = tables[s, low // BLOCK_TOKENS : p // BLOCK_TOKENS + 1]
                assert (blocks >= 0).all(), "a block that the token must see is missing"
                offset = low // BLOCK_TOKENS * BLOCK_TOKENS
                seen.append(pool[blocks].reshape(-1)[low - offset : p - offset].tobytes())
        value = digest(token, p, *seen)
        for group, pool, tables in zip(self.layout.groups, self.pools, batch.block_tables, strict=True):
            if not group.recurrent:
                pool[tables[s, p // BLOCK_TOKENS], p % BLOCK_TOKENS] = value
        return value

    def _check(self, batch: Batch) -> None:
        limits, starts = self.limits, batch.query_start
        assert 0 < batch.n_tokens <= limits.n_tokens
        assert 0 < batch.n_sequences <= limits.n_sequences
        assert len(batch.outputs) <= limits.n_outputs
        assert (np.diff(batch.outputs) > 0).all()
        assert starts[0] == 0
        assert starts[-1] == batch.n_tokens
        assert (np.diff(starts) > 0).all()
        for s in range(batch.n_sequences):
            own = slice(starts[s], starts[s + 1])
            assert (batch.token_seq[own] == s).all()
            assert (np.diff(batch.positions[own]) == 1).all()
            assert 0 <= batch.positions[own][0] <= batch.positions[own][-1] < limits.n_ctx
        for g, tables in enumerate(batch.block_tables):
            assert tables.max() < limits.n_blocks[g]
            written = [
                int(tables[s, 0 if self.layout.groups[g].recurrent else block])
                for s in range(batch.n_sequences)
                for block in np.unique(batch.positions[starts[s] : starts[s + 1]] // BLOCK_TOKENS)
            ]
            if not self.layout.groups[g].recurrent:
                assert len(set(written)) == len(written), "two sequences write to one block"
        arrays = (
            batch.token_ids,
            batch.positions,
            batch.token_seq,
            starts,
            batch.outputs,
            *batch.block_tables,
        )
        assert all(a.dtype == np.int32 and a.flags.c_contiguous for a in arrays)


def make_engine(
    layout: CacheLayout,
    *,
    n_ctx: int = 160,
    n_tokens: int = 32,
    n_sequences: int = 4,
    n_blocks: tuple[int, ...] | int = 40,
    prefix_cache: bool = True,
    eog: int = EOG,
    fixed: float = 0,
    per_token: float = 0,
    step_seconds: float = 0.25,
    most_steps: int = MOST_STEPS,
    disk: DiskCache | None = None,
) -> Engine:
    if isinstance(n_blocks, int):
        n_blocks = (n_blocks,) * len(layout.groups)
    limits = Limits(n_tokens, n_sequences, n_sequences + 3, n_ctx, n_blocks)
    executor = FakeExecutor(layout, limits, fixed, per_token)
    return Engine(
        executor,
        layout,
        limits,
        n_vocab=N_VOCAB,
        eog_ids=(eog,),
        prefix_cache=prefix_cache,
        step_seconds=step_seconds,
        most_steps=most_steps,
        clock=lambda: executor.now,
        disk=disk,
    )


def start(engine: Engine, prompt: list[int], *, prompt_logits: bool = False, **params: object) -> Sequence:
    """Submit a prompt; greedy and without an end unless told otherwise."""
    options = {"temperature": 0, "ignore_eos": True, "max_tokens": 20, **params}
    sequence = engine.sequence(prompt, SamplingParams(**options), prompt_logits=prompt_logits)  # type: ignore[arg-type]
    engine.submit(sequence)
    return sequence


def finish(engine: Engine, most_steps: int = 5000) -> int:
    """Step until nothing is left; the number of steps."""
    for n in range(most_steps):
        if not engine.has_work:
            return n
        engine.step()
    raise AssertionError("the engine goes on for ever")


def assert_all_blocks_are_back(engine: Engine) -> None:
    for pool in engine._blocks.pools:
        assert pool.n_available == pool.n_blocks
        assert pool.n_used == 0
        assert set(pool._n_users) <= {0}
        assert len({*pool._free, *pool._idle}) == pool.n_blocks
        assert set(pool._block_of.values()) == set(pool._idle) == set(pool._key_of)
