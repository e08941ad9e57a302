"""The scans of Mamba against their definitions in float64, and against themselves in other batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from helpers.cpu import Build, Floats, assert_close, cpu_backend, randn, tensor
from helpers.recurrences import RAGGED, TOGETHER, WHOLE, cpu_steps, reference_steps

from rushlight.backends.cache import RecurrentCache


class Scan(NamedTuple):
    """Shapes of the op; without heads it is `selective_scan`, whose columns have steps of their own."""

    n_head: int
    n_group: int
    n_state: int
    head_dim: int

    @property
    def spec(self) -> RecurrentCache:
        shape = self.n_state, self.head_dim
        return RecurrentCache((self.n_head, *shape) if self.n_head else shape)

    @property
    def sizes(self) -> list[int]:
        """Columns of x, dt, b and c in a row of the table."""
        n_b = max(self.n_group, 1) * self.n_state
        return [max(self.n_head, 1) * self.head_dim, self.n_head or self.head_dim, n_b, n_b]

    def table(self, seed: int) -> Floats:
        x = randn(256, sum(self.sizes), seed=seed)
        steps = slice(self.sizes[0], sum(self.sizes[:2]))
        x[:, steps] = np.random.default_rng(seed).uniform(0, 1, x[:, steps].shape)
        return x

    @property
    def a(self) -> Floats:
        """From no decay to a strong one."""
        n = self.n_head or self.head_dim * self.n_state
        return -np.linspace(0, 3, n).astype(np.float32)[np.random.default_rng(5).permutation(n)]

    def build(self) -> Build:
        stops = np.cumsum(self.sizes).tolist()

        def build(backend):  # type: ignore[no-untyped-def]
            weight = backend.vector(tensor(self.a))

            def forward(ops, x):  # type: ignore[no-untyped-def]
                spans = zip([0, *stops[:-1]], stops, strict=True)
                x, dt, b, c = (x.columns(*span) for span in spans)
                op = ops.ssm_scan if self.n_head else ops.selective_scan
                return op(x, dt, weight, b, c, 0)

            return forward

        return build

    def expected(self, table: Floats) -> Floats:
        """One column, one sequence, one token at a time."""
        x, dt, b, c = np.split(table.astype(np.float64), np.cumsum(self.sizes)[:-1], axis=1)
        a = self.a.astype(np.float64)
        out = np.empty_like(x)
        for i in range(x.shape[1]):
            head, group = i // self.head_dim, 0
            if self.n_head:
                group = head * self.n_group // self.n_head
                decay, step = np.exp(a[head] * dt[:, head])[:, None], dt[:, head]
            else:
                step = dt[:, i]
                decay = np.exp(a.reshape(self.n_state, -1)[:, i] * step[:, None])
            own = slice(group * self.n_state, (group + 1) * self.n_state)
            for t in range(256):
                if t % 64 == 0:
                    state = np.zeros(self.n_state)
                state = decay[t] * state + b[t, own] * step[t] * x[t, i]
                out[t, i] = c[t, own] @ state
        return out.astype(np.float32)


SCANS = [
    Scan(1, 1, 1, 1),
    Scan(4, 2, 16, 16),
    Scan(6, 3, 7, 20),
    Scan(4, 1, 130, 40),
    Scan(0, 0, 1, 1),
    Scan(0, 0, 16, 75),
]


@pytest.mark.parametrize("scan", SCANS)
def test_is_the_scan(scan: Scan) -> None:
    x = scan.table(0)
    expected = scan.expected(x)
    for steps in (RAGGED, TOGETHER):
        for run in (cpu_steps, reference_steps):
            # Sums of n_state numbers, some of which have come through dozens of tokens.
            assert_close(run(scan.build(), x, scan.spec, steps), expected, 3e-5 * scan.n_state**0.5)


@pytest.mark.parametrize("scan", SCANS)
def test_chunks_batches_and_threads_do_not_change_a_bit(scan: Scan) -> None:
    x = scan.table(1)
    whole = cpu_steps(scan.build(), x, scan.spec, WHOLE)
    for steps in (RAGGED, TOGETHER):
        for n_threads in (1, 3):
            found = cpu_steps(scan.build(), x, scan.spec, steps, cpu_backend(n_threads))
            np.testing.assert_array_equal(found, whole)
