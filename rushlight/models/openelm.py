"""OpenELM: 270M to 3B.

A llama block (see `rushlight.models.llama`), with these differences:

- Layers differ: ``attention.head_count``, ``attention.head_count_kv`` and ``feed_forward_length`` are lists,
  one number a layer.
- Each query head and each key head goes through an RMS norm of its own width before RoPE, which turns halves
  (NeoX).
- ``attn_qkv`` holds queries, keys and values one below the other.

Source: Mehta et al. 2024, "OpenELM: An Efficient Language Model Family with Open Training and Inference
Framework"; ``openelm.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_heads_by_layer
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the openelm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads = read_heads_by_layer(accounts)
        widths = accounts.get_int_or_array("feed_forward_length", len(heads), min=1, max=1 << 24)
        n_head, n_head_kv = heads[0]
        config = read_config(accounts, "openelm", n_head=n_head, n_head_kv=n_head_kv, n_ff=max(widths))
        own = [
            config._replace(n_head=q, n_head_kv=kv, n_ff=n_ff)
            for (q, kv), n_ff in zip(heads, widths, strict=True)
        ]
        weights, qk_norms = Weights(accounts, backend), (config.n_embd_head_k,) * 2
        super().__init__(config, weights, n_ctx, layer_configs=own)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [
            block_of(weights, each, f"blk.{i}", SwiGLU(weights, each, f"blk.{i}"), qk_norms=qk_norms)
            for i, each in enumerate(own)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
