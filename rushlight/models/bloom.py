"""BLOOM and BLOOMZ: 560M to 176B.

Beside a llama block (see `rushlight.models.llama`):

- ALiBi (`rushlight.models.alibi`) in place of RoPE, with a largest bias of 8.
- Layer norms with biases; one of them (``token_embd_norm``) is over the embeddings. Every linear layer has a
  bias, except the output head.
- ``attn_qkv`` holds queries, keys and values one below the other.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.

Source: BigScience 2022, "BLOOM"; ``bloom.cpp`` in llama.cpp's ``src/models``; ``modeling_bloom.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import MAX_BIAS, slopes_of
from rushlight.models.config import read_config
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the bloom architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(
            accounts, "bloom", norm_eps="attention.layer_norm_epsilon", max_alibi_bias=MAX_BIAS
        )
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, ffn=GeluFFN, norm=LayerNorm)
        self.slopes = slopes_of(weights, config.n_head, MAX_BIAS)
        self._embd_norm = LayerNorm(weights, "token_embd_norm", config.n_embd, config.norm_eps)

    def embedded(self, ops: Ops) -> Tensor:
        """See `LlamaBlocks.embedded`."""
        return self._embd_norm(ops, super().embedded(ops))
