"""How many blocks, tokens and rows of logits a backend is asked to make room for."""

from __future__ import annotations

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
    group gets `STATES_PER_SEQUENCE` blocks for each, the state and checkpoints.

    Raises:
        InvalidParameter: the KV cache is smaller than one context, or `kv_dtype` is unknown.
    """
    if kv_dtype not in KV_ITEMSIZE:
        raise InvalidParameter(f'kv_dtype is {kv_dtype!r}; it must be "f16" or "f32".')
    if options.kv_tokens is not None and options.kv_tokens < n_ctx:
        raise InvalidParameter(
            f"kv_tokens is {options.kv_tokens}, less than the context of {n_ctx}; raise it or lower n_ctx."
        )
    n_sequences = options.n_sequences
    n_whole = blocks_for(options.kv_tokens or _default_kv_tokens(layout, n_ctx, kv_dtype, n_sequences))
    n_blocks = []
    for group in layout.groups:
        most = n_sequences * most_blocks(n_ctx, group.window, options.n_batch_tokens)
        n_blocks.append(n_sequences * STATES_PER_SEQUENCE if group.recurrent else min(n_whole, most))
    return Limits(
        n_tokens=options.n_batch_tokens,
        n_sequences=n_sequences,
        n_outputs=n_sequences + EXTRA_LOGIT_ROWS,
        n_ctx=n_ctx,
        n_blocks=tuple(n_blocks),
        kv_dtype=kv_dtype,
    )


def _default_kv_tokens(layout: CacheLayout, n_ctx: int, kv_dtype: str, n_sequences: int) -> int:
    """One context, and as many more as the default size holds."""
    itemsize = KV_ITEMSIZE[kv_dtype]
    per_block = sum(
        layout.block_bytes(g, itemsize) for g, group in enumerate(layout.groups) if not group.recurrent
    )
    n_contexts = DEFAULT_KV_BYTES // max(1, per_block * blocks_for(n_ctx))
    return n_ctx * min(max(1, n_contexts), n_sequences)
