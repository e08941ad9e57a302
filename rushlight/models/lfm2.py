"""LFM2 and LFM2.5 of Liquid AI, the dense models.

A llama block (see `rushlight.models.llama`), with short convolutions in the place of most attention:

- A layer whose entry of ``attention.head_count_kv`` is 0 has a gated short convolution in the place of
  attention: ``shortconv.in_proj`` gives b, c and x, and ``shortconv.out_proj`` takes ``c * conv(b * x)``.
  `conv` is causal, runs along the sequence, column by column, and has ``shortconv.l_cache`` taps.
- Each query head and each key head goes through an RMS norm of its own width before RoPE.
- RoPE turns halves of a head (NeoX).
- The last norm is called ``token_embd_norm``. The output head is tied to the embedding.
- With ``attention.sliding_window``, every layer with attention has that window.

Source: Liquid AI 2025, "LFM2 Technical Report"; ``lfm2.cpp`` in llama.cpp's ``src/models``;
``modeling_lfm2.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config, read_heads
from rushlight.models.conv_hybrid import ConvHybrid
from rushlight.models.layers import SwiGLU
from rushlight.models.weights import Weights


class Model(ConvHybrid):
    """A model of the lfm2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads, n_swa = read_heads(accounts), accounts.get_int("attention.sliding_window", 0, min=0)
        config = read_config(accounts, "lfm2", n_swa=n_swa, n_head_kv=max(heads))
        weights = Weights(accounts, backend)
        super().__init__(
            accounts, config, weights, n_ctx, heads, lambda i: SwiGLU(weights, config, f"blk.{i}")
        )
