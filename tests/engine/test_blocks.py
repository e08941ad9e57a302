from __future__ import annotations

import pytest
from fake_executor import layout_of
from hypothesis import given
from hypothesis import strategies as st

from rushlight.backends.cache import BLOCK_TOKENS, AttentionCache, CacheLayout, RecurrentCache
from rushlight.engine.block_pool import BlockPool
from rushlight.engine.kv_blocks import blocks_for, first_visible_block, most_blocks
from rushlight.engine.limits import limits_for
from rushlight.errors import InvalidParameter
from rushlight.params import EngineOptions


def test_idle_blocks_are_given_up_longest_unused_first() -> None:
    pool = BlockPool(3)
    blocks = [pool.allocate() for _ in range(3)]
    for block, key in zip(blocks, (b"a", b"b", b"c"), strict=True):
        pool.keep(block, key)
        pool.release(block)
    a = pool.find(b"a")
    assert a is not None
    assert pool.is_idle(a)
    pool.share(a)
    pool.release(a)
    assert pool.n_available == 3
    pool.allocate()
    assert [pool.find(key) is None for key in (b"a", b"b", b"c")] == [False, True, False]
    pool.allocate()
    pool.allocate()
    assert pool.find(b"a") is None
    with pytest.raises(IndexError):
        pool.allocate()


def test_free_blocks_are_taken_before_idle_ones() -> None:
    pool = BlockPool(2)
    kept, plain = pool.allocate(), pool.allocate()
    pool.keep(kept, b"k")
    pool.release(kept)
    pool.release(plain)
    assert pool.allocate() == plain
    assert pool.find(b"k") == kept


def test_a_shared_block_stays_until_its_last_user_leaves() -> None:
    pool = BlockPool(1)
    block = pool.allocate()
    pool.keep(block, b"k")
    pool.share(block)
    pool.release(block)
    assert pool.n_available == 0
    pool.release(block)
    assert pool.n_available == 1


def test_only_an_idle_block_is_forgotten() -> None:
    pool = BlockPool(2)
    block = pool.allocate()
    pool.keep(block, b"k")
    pool.forget(b"k")
    pool.forget(b"unknown")
    assert pool.find(b"k") == block
    pool.release(block)
    pool.forget(b"k")
    assert pool.find(b"k") is None
    assert (pool.n_kept, pool.n_available, pool.n_used) == (0, 2, 0)


def test_equal_contents_are_kept_once() -> None:
    pool = BlockPool(2)
    first, second = pool.allocate(), pool.allocate()
    pool.keep(first, b"k")
    pool.keep(second, b"k")
    assert pool.find(b"k") == first
    pool.release(second)
    assert not pool.is_idle(second)
    assert pool.n_available == 1


@given(st.integers(1, 300), st.integers(0, 200), st.integers(1, 64))
def test_visible_and_most_blocks_by_counting_positions(position: int, window: int, n_chunk: int) -> None:
    seen = [p for p in range(position + 1) if not window or p > position - window]
    assert first_visible_block(position, window) == seen[0] // BLOCK_TOKENS
    last = range(position, position + n_chunk)
    held = {p // BLOCK_TOKENS for p in [*seen, *last]}
    assert len(held) <= most_blocks(position + n_chunk, window, n_chunk)
    assert blocks_for(position) == len({p // BLOCK_TOKENS for p in range(position)})


def test_limits_hold_at_least_one_context_and_at_most_all_of_them() -> None:
    layout = layout_of(0, 64, "state")
    options = EngineOptions(n_sequences=3, n_batch_tokens=32)
    small = limits_for(layout, 1000, "f16", options)
    assert small.n_blocks == (
        94,
        3 * 4,
        12,
    )  # 3000 positions; 64 + 32 positions in 4 blocks at most; 4 states
    assert (small.n_tokens, small.n_sequences, small.n_outputs, small.n_ctx) == (32, 3, 34, 1000)
    exact = limits_for(layout, 1000, "f32", EngineOptions(kv_tokens=1000))
    assert exact.n_blocks[0] == 32
    with pytest.raises(InvalidParameter, match="kv_tokens is 999, less than the context of 1000"):
        limits_for(layout, 1000, "f16", EngineOptions(kv_tokens=999))
    with pytest.raises(InvalidParameter, match="kv_dtype is 'q8'"):
        limits_for(layout, 1000, "q8", options)


def test_the_default_pool_stops_at_a_gibibyte() -> None:
    # 2048 layers of 64 bytes a position: 1 GiB holds 8192 positions.
    layout = CacheLayout.of((AttentionCache(1, 16, 16),) * 2048)
    assert limits_for(layout, 4096, "f16", EngineOptions()).n_blocks == (2 * 128,)
    assert limits_for(layout, 20_000, "f16", EngineOptions()).n_blocks == (625,)


def test_kv_bytes_are_filled_and_never_exceeded() -> None:
    layout = CacheLayout.of(
        (AttentionCache(2, 16, 9), AttentionCache(2, 16, 9, window=64), RecurrentCache((3, 5), (2, 7)))
    )
    whole = 32 * 2 * (16 + 16) * 2  # values lie in whole vectors of 16
    state = 4 * (3 * 16 + 2 * 7)
    assert [layout.block_bytes(g, 2) for g in range(3)] == [whole, whole, state]
    assert limits_for(layout, 320, "f16", EngineOptions(kv_bytes=10**9)).n_blocks == (80, 80, 32)

    def total(n_blocks: tuple[int, ...]) -> int:
        return sum(layout.block_bytes(g, 2) * n for g, n in enumerate(n_blocks))

    least = 2 * 10 * whole + 4 * state  # one context of ten blocks, and a state with its checkpoints
    for kv_bytes in (least, least + 1, least + 2 * whole - 1, least + 2 * whole, 30 * whole, 45 * whole):
        options = EngineOptions(kv_bytes=kv_bytes, n_batch_tokens=64)
        n_blocks = limits_for(layout, 320, "f16", options).n_blocks
        assert total(n_blocks) <= kv_bytes
        more = n_blocks[0] + 1, min(n_blocks[0] + 1, 8 * 5), (n_blocks[0] + 1) // 10 * 4
        assert total(more) > kv_bytes, "one block more would not fit"
    with pytest.raises(InvalidParameter, match=f"kv_bytes is {least - 1}, but one context of 320 .* {least}"):
        limits_for(layout, 320, "f16", EngineOptions(kv_bytes=least - 1))
