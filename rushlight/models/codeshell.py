"""CodeShell 7B.

Beside a llama block (see `rushlight.models.llama`):

- Layer norms with biases; every linear layer has a bias, except the output head.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.
- RoPE turns halves of a head (NeoX).

Source: Xie et al. 2024, "CodeShell Technical Report"; ``codeshell.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.llama_block import LlamaBlocks
from rushlight.models.weights import Weights


class Model(LlamaBlocks):
    """A model of the codeshell architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "codeshell", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx, ffn=GeluFFN, norm=LayerNorm)
        self.rope = self.rope_table(interleaved=False)
