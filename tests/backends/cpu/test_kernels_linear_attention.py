"""Linear attention against its definition in float64, and in other batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from helpers.cpu import Build, Floats, assert_close, cpu_backend, randn, tensor
from helpers.recurrences import RAGGED, TOGETHER, WHOLE, cpu_steps, reference_steps

from rushlight.backends.cache import RecurrentCache


class Heads(NamedTuple):
    """An op and its shapes; `fixed`: one decay for all tokens."""

    op: str
    n_head: int
    head_dim_k: int
    head_dim_v: int
    fixed: bool = False

    @property
    def spec(self) -> RecurrentCache:
        return RecurrentCache((self.n_head, self.head_dim_k, self.head_dim_v))

    @property
    def stops(self) -> list[int]:
        """Where the columns of q, k, v, decays, a and b end in a row of the table."""
        n_key, n_value = self.n_head * self.head_dim_k, self.n_head * self.head_dim_v
        return np.cumsum([n_key, n_key, n_value, n_key, n_key, n_key]).tolist()

    def table(self, seed: int) -> Floats:
        """Decays from 0 to 1, and a and b of length 1 as RWKV-7 has them: all stays bounded."""
        x = randn(256, self.stops[-1], seed=seed)
        decays, a, b = (slice(*span) for span in zip(self.stops[2:], self.stops[3:], strict=False))
        x[:, decays] = np.random.default_rng(seed).uniform(0, 1, x[:, decays].shape)
        keys = x[:, a].reshape(256, self.n_head, -1)
        keys /= np.linalg.norm(keys, axis=2, keepdims=True)
        x[:, b] = -0.9 * x[:, a] * np.abs(x[:, b]).clip(0, 1)
        return x

    def build(self, vector: Floats) -> Build:
        starts = [0, *self.stops[:-1]]

        def build(backend):  # type: ignore[no-untyped-def]
            weight = backend.vector(tensor(vector))

            def forward(ops, x):  # type: ignore[no-untyped-def]
                parts = [x.columns(*span) for span in zip(starts, self.stops, strict=True)]
                if self.op == "wkv7":
                    return ops.wkv7(*parts, 0)
                if self.op == "wkv6":
                    return ops.wkv6(*parts[:4], weight, 0)
                return ops.gated_linear_attention(*parts[:3], weight if self.fixed else parts[3], 0)

            return forward

        return build

    def expected(self, x: Floats, vector: Floats) -> Floats:
        """One head, one sequence, one token at a time."""
        q, k, v, decay, a, b = (
            part.reshape(256, self.n_head, -1)
            for part in np.split(x.astype(np.float64), self.stops[:-1], axis=1)
        )
        own = vector.astype(np.float64).reshape(self.n_head, -1)
        out = np.empty(v.shape)
        for h in range(self.n_head):
            for t in range(256):
                if t % 64 == 0:
                    state = np.zeros((self.head_dim_k, self.head_dim_v))
                before, faded = state, (own[h] if self.fixed else decay[t, h])[:, None] * state
                state = faded + np.outer(k[t, h], v[t, h])
                if self.op == "wkv7":
                    state = state + np.outer(b[t, h], a[t, h] @ before)
                seen = before + np.outer(own[h] * k[t, h], v[t, h]) if self.op == "wkv6" else state
                out[t, h] = q[t, h] @ seen
        return out.reshape(256, -1).astype(np.float32)


SHAPES = [(1, 1, 1), (2, 16, 16), (3, 7, 20), (2, 67, 40)]
HEADS = [Heads(op, *shape) for op in ("gated_linear_attention", "wkv6", "wkv7") for shape in SHAPES]
HEADS += [Heads("gated_linear_attention", 3, 21, 33, fixed=True)]


def vector_of(heads: Heads) -> Floats:
    """Decays, or bonuses."""
    return np.random.default_rng(5).uniform(0, 1, heads.n_head * heads.head_dim_k).astype(np.float32)


@pytest.mark.parametrize("heads", HEADS)
def test_is_the_rule(heads: Heads) -> None:
    x, vector = heads.table(0), vector_of(heads)
    expected = heads.expected(x, vector)
    for steps in (RAGGED, TOGETHER):
        for run in (cpu_steps, reference_steps):
            found = run(heads.build(vector), x, heads.spec, steps)
            # Sums of head_dim_k numbers, some of which have come through dozens of tokens.
            assert_close(found, expected, 1e-5 * heads.head_dim_k**0.5)


@pytest.mark.parametrize("heads", HEADS)
def test_chunks_batches_and_threads_do_not_change_a_bit(heads: Heads) -> None:
    x, vector = heads.table(1), vector_of(heads)
    whole = cpu_steps(heads.build(vector), x, heads.spec, WHOLE)
    for steps in (RAGGED, TOGETHER):
        for n_threads in (1, 3):
            found = cpu_steps(heads.build(vector), x, heads.spec, steps, cpu_backend(n_threads))
            np.testing.assert_array_equal(found, whole)
