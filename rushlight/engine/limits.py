"""How many blocks, tokens and rows of logits a backend is asked to make room for."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import NamedTuple

from rushlight.backends.base import Limits
from rushlight.backends.cache import CacheLayout
from rushlight.engine.kv_blocks import blocks_for, most_blocks
from rushlight.errors import InvalidParameter
from rushlight.params import EngineOptions

DEFAULT_KV_BYTES = 2**30
KV_ITEMSIZE = {"f16": 2, "f32": 4}
EXTRA_LOGIT_ROWS = 31
STATES_PER_SEQUENCE = 4


def limits_for(layout: CacheLayout, n_ctx: int, kv_dtype: str, options: EngineOptions) -> Limits:
    """The sizes for a model's cache groups.

    A group with a window gets what `n_sequences` sequences can hold at once, if that is less; a recurrent
    group gets `STATES_PER_SEQUENCE` blocks for each, the state and checkpoints. A step of a model without
    causality holds whole sequences, so it has room for `n_ctx` tokens, and for the rows of all of them.

    Raises:
        InvalidParameter: the KV cache is smaller than one context, or `kv_dtype` is unknown.
    """
    if kv_dtype not in KV_ITEMSIZE:
        raise InvalidParameter(f'kv_dtype is {kv_dtype!r}; it must be "f16" or "f32".')
    if options.kv_tokens is not None and options.kv_tokens < n_ctx:
        raise InvalidParameter(
            f"kv_tokens is {options.kv_tokens}, less than the context of {n_ctx}; raise it or lower n_ctx."
        )
    n_outputs = options.n_sequences + EXTRA_LOGIT_ROWS
    if not layout.is_causal:
        options = replace(options, n_batch_tokens=max(n_ctx, options.n_batch_tokens))
        n_outputs = options.n_sequences + options.n_batch_tokens
    sizes = _Sizes(layout, n_ctx, KV_ITEMSIZE[kv_dtype], options)
    if options.kv_bytes is not None:
        n_blocks = sizes.within(options.kv_bytes)
    else:
        n_blocks = sizes.n_blocks(
            blocks_for(options.kv_tokens or sizes.default_tokens()), options.n_sequences
        )
    return Limits(
        n_tokens=options.n_batch_tokens,
        n_sequences=options.n_sequences,
        n_outputs=n_outputs,
        n_ctx=n_ctx,
        n_blocks=n_blocks,
        kv_dtype=kv_dtype,
    )


class _Sizes(NamedTuple):
    """What the sizes of the groups follow from."""

    layout: CacheLayout
    n_ctx: int
    kv_itemsize: int
    options: EngineOptions

    def n_blocks(self, n_whole: int, n_states: int) -> tuple[int, ...]:
        """Blocks of each group: `n_whole` of one that keeps everything, states for `n_states` sequences."""
        options, sizes = self.options, []
        for group in self.layout.groups:
            most = options.n_sequences * most_blocks(self.n_ctx, group.window, options.n_batch_tokens)
            sizes.append(n_states * STATES_PER_SEQUENCE if group.recurrent else min(n_whole, most))
        return tuple(sizes)

    def within(self, kv_bytes: int) -> tuple[int, ...]:
        """Blocks of each group: as many contexts, or parts of one, as this memory holds, but one at least.

        Raises:
            InvalidParameter: it holds none.
        """
        one, n_sequences = blocks_for(self.n_ctx), self.options.n_sequences

        def size(n_whole: int) -> tuple[int, ...]:
            return self.n_blocks(n_whole, min(n_sequences, n_whole // one))

        if (needed := self._bytes(size(one))) > kv_bytes:
            raise InvalidParameter(
                f"kv_bytes is {kv_bytes}, but one context of {self.n_ctx} tokens takes {needed} bytes; "
                "raise it or lower n_ctx."
            )
        candidates = range(one, one * n_sequences + 1)
        n_fitting = bisect_right(candidates, kv_bytes, key=lambda n_whole: self._bytes(size(n_whole)))
        return size(candidates[n_fitting - 1])

    def default_tokens(self) -> int:
        """One context, and as many more as the default size holds."""
        per_block = sum(
            self.layout.block_bytes(g, self.kv_itemsize)
            for g, group in enumerate(self.layout.groups)
            if not group.recurrent
        )
        n_contexts = DEFAULT_KV_BYTES // max(1, per_block * blocks_for(self.n_ctx))
        return self.n_ctx * min(max(1, n_contexts), self.options.n_sequences)

    def _bytes(self, n_blocks: tuple[int, ...]) -> int:
        return sum(self.layout.block_bytes(g, self.kv_itemsize) * n for g, n in enumerate(n_blocks))
