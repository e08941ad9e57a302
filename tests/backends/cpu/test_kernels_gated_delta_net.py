"""The gated delta rule, also fading row by row, against its definition in float64, and in other batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from helpers.cpu import Build, Floats, assert_close, cpu_backend, randn, tensor
from helpers.recurrences import RAGGED, TOGETHER, WHOLE, cpu_steps, reference_steps

from rushlight.backends.cache import RecurrentCache


class Heads(NamedTuple):
    """Shapes of the op."""

    n_head: int
    n_head_kv: int
    head_dim_k: int
    head_dim_v: int
    grouped: bool = False
    by_row: bool = False

    @property
    def spec(self) -> RecurrentCache:
        return RecurrentCache((self.n_head, self.head_dim_k, self.head_dim_v))

    @property
    def stops(self) -> list[int]:
        """Where the columns of q, k, v, dt and beta end in a row of the table."""
        n_key, n_value = self.n_head_kv * self.head_dim_k, self.n_head * self.head_dim_v
        n_dt = n_key if self.by_row else self.n_head
        return np.cumsum([n_key, n_key, n_value, n_dt, self.n_head]).tolist()

    def table(self, seed: int) -> Floats:
        """Keys of length 1, as the rule needs them to stay bounded; steps and corrections from 0 to 1."""
        x = randn(256, self.stops[-1], seed=seed)
        n_key, _, n_value = self.stops[0], self.stops[1], self.stops[2]
        keys = x[:, n_key : 2 * n_key].reshape(256, self.n_head_kv, self.head_dim_k)
        keys /= np.linalg.norm(keys, axis=2, keepdims=True)
        x[:, n_value:] = np.random.default_rng(seed).uniform(0, 1, x[:, n_value:].shape)
        return x

    def build(self, a: Floats) -> Build:
        starts = [0, *self.stops[:-1]]

        def build(backend):  # type: ignore[no-untyped-def]
            weight = backend.vector(tensor(a))

            def forward(ops, x):  # type: ignore[no-untyped-def]
                q, k, v, dt, beta = (x.columns(*span) for span in zip(starts, self.stops, strict=True))
                if self.by_row:
                    return ops.kda(q, k, v, dt, beta, 0)
                return ops.gated_delta_net(q, k, v, dt, weight, beta, 0, self.grouped)

            return forward

        return build

    def expected(self, x: Floats, a: Floats) -> Floats:
        """One head, one sequence, one token at a time."""
        parts = np.split(x.astype(np.float64), self.stops[:-1], axis=1)
        q, k = (part.reshape(256, self.n_head_kv, -1) for part in parts[:2])
        v, (dt, beta) = parts[2].reshape(256, self.n_head, -1), parts[3:]
        out = np.empty((256, self.n_head, self.head_dim_v))
        for h in range(self.n_head):
            for t in range(256):
                if t % 64 == 0:
                    state = np.zeros((self.head_dim_k, self.head_dim_v))
                shared = h * self.n_head_kv // self.n_head if self.grouped else h % self.n_head_kv
                key, query = k[t, shared], q[t, shared]
                if self.by_row:
                    state = dt[t].reshape(self.n_head, -1)[h][:, None] * state
                else:
                    state = np.exp(np.float64(a[h]) * dt[t, h]) * state
                state = state + np.outer(key, beta[t, h] * (v[t, h] - key @ state))
                out[t, h] = query @ state
        return out.reshape(256, -1).astype(np.float32)


HEADS = [
    Heads(1, 1, 1, 1),
    Heads(2, 1, 16, 16),
    Heads(6, 3, 7, 20),
    Heads(4, 2, 130, 40),
    Heads(6, 2, 8, 8, grouped=True),
    Heads(3, 3, 21, 40, by_row=True),
    Heads(1, 1, 128, 16, by_row=True),
]


def decays(heads: Heads) -> Floats:
    """From no decay to a strong one."""
    return -np.linspace(0, 3, heads.n_head).astype(np.float32)


@pytest.mark.parametrize("heads", HEADS)
def test_is_the_gated_delta_rule(heads: Heads) -> None:
    x, a = heads.table(0), decays(heads)
    expected = heads.expected(x, a)
    for steps in (RAGGED, TOGETHER):
        for run in (cpu_steps, reference_steps):
            # Sums of head_dim_k numbers, some of which have come through dozens of tokens.
            assert_close(run(heads.build(a), x, heads.spec, steps), expected, 1e-5 * heads.head_dim_k**0.5)


@pytest.mark.parametrize("heads", HEADS)
def test_chunks_batches_and_threads_do_not_change_a_bit(heads: Heads) -> None:
    x, a = heads.table(1), decays(heads)
    whole = cpu_steps(heads.build(a), x, heads.spec, WHOLE)
    for steps in (RAGGED, TOGETHER):
        for n_threads in (1, 3):
            found = cpu_steps(heads.build(a), x, heads.spec, steps, cpu_backend(n_threads))
            np.testing.assert_array_equal(found, whole)
