"""Buffers in one arena."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rushlight.backends.cpu.plan import plan_buffers
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS, Buffer

BUFFERS = st.lists(
    st.builds(
        lambda rows, size, first, length: Buffer(rows, 64 * size, first, first + length),
        st.sampled_from([TOKENS, OUTPUTS]),
        st.integers(1, 9),
        st.integers(0, 12),
        st.integers(0, 5),
    ),
    max_size=20,
)


@given(BUFFERS)
def test_buffers_that_live_at_once_do_not_overlap(buffers: list[Buffer]) -> None:
    n_rows = {TOKENS: 7, OUTPUTS: 3}
    offsets, size = plan_buffers(buffers, n_rows)
    ends = {b: offsets[b] + b.row_bytes * n_rows[b.rows] for b in buffers}
    assert all(offsets[b] % 64 == 0 and ends[b] <= size for b in buffers)
    for i, a in enumerate(buffers):
        for b in buffers[:i]:
            lives_overlap = a.first <= b.last and b.first <= a.last
            assert not lives_overlap or ends[a] <= offsets[b] or ends[b] <= offsets[a]


def test_memory_is_used_again() -> None:
    chain = [Buffer(TOKENS, 64, i, i + 1) for i in range(10)]
    assert plan_buffers(chain, {TOKENS: 4})[1] == 2 * 64 * 4
