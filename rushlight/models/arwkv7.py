"""ARWKV-7: Qwen2.5 models whose attention was replaced by the time mix of RWKV-7.

The layers are those of a llama block (see `rushlight.models.llama`), with the time mix of RWKV-7 (see
`rushlight.models.rwkv7_time_mix`) in place of the attention; no position turns anything. Files without
``attention.gate_lora_rank``, or with 0 there, have no gate (``time_mix_g1``, ``time_mix_g2``), and some have
no norm of what is read (``time_mix_ln``).

The first layer's ``time_mix_v0``, ``v1`` and ``v2`` are there for llama.cpp alone and are not read.

Source: Lin Yueyu et al. 2025, "ARWKV: Pretrain is not what we need, an RNN-Attention-Based Language Model
Born from Transformer"; ``arwkv7.cpp`` and ``rwkv7-base.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.rwkv import NetworkBlock, RwkvWithNetworks, read_rwkv
from rushlight.models.rwkv7_time_mix import Rwkv7TimeMix, read_ranks
from rushlight.models.weights import Weights


class Model(RwkvWithNetworks):
    """A model of the arwkv7 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, heads = read_rwkv(accounts, "arwkv7", "attention.layer_norm_rms_epsilon", n_shift=1)
        ranks, weights = read_ranks(accounts, gated=False), Weights(accounts, backend)
        accounts.ignore_tensor("blk.0.time_mix_v[012].weight", "the first layer's values are its own")
        super().__init__(config, weights, n_ctx, heads)
        self.blocks = [
            NetworkBlock(
                RmsNorm(weights, f"blk.{i}.attn_norm", config.n_embd, config.norm_eps),
                Rwkv7TimeMix(weights, config, heads, ranks, i),
                RmsNorm(weights, f"blk.{i}.ffn_norm", config.n_embd, config.norm_eps),
                SwiGLU(weights, config, f"blk.{i}"),
            )
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
