"""QRWKV6: Qwen2.5 models whose attention was replaced by gated linear attention.

The layers are those of a llama block (see `rushlight.models.llama`), with a time mix made of RWKV-6's (see
`rushlight.models.rwkv6_time_mix`) in place of the attention; no position turns anything.
``attention.head_count_kv`` is the number of heads of keys and values, 0: as many as there are of the rest.

Source: Goldstein et al. 2025, "RADLADS: Rapid Attention Distillation to Linear Attention Decoders at Scale";
``rwkv6qwen2.cpp`` and ``rwkv6-base.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.rwkv import NetworkBlock, RwkvWithNetworks, read_rwkv
from rushlight.models.rwkv6_time_mix import GatedTimeMix, read_ranks
from rushlight.models.weights import Weights


class Model(RwkvWithNetworks):
    """A model of the rwkv6qwen2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_head_kv = accounts.get_int("attention.head_count_kv", 0, min=0)
        config, heads = read_rwkv(
            accounts, "rwkv6qwen2", "attention.layer_norm_rms_epsilon", n_shift=1, n_head_kv=n_head_kv
        )
        accounts.expect("rescale_every_n_layers", 0, "halving is not implemented for this architecture")
        ranks, weights = read_ranks(accounts), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, heads)
        n_shared = n_head_kv or heads.n_head
        self.blocks = [
            NetworkBlock(
                RmsNorm(weights, f"blk.{i}.attn_norm", config.n_embd, config.norm_eps),
                GatedTimeMix(weights, config, heads, ranks, n_shared, f"blk.{i}.time_mix"),
                RmsNorm(weights, f"blk.{i}.ffn_norm", config.n_embd, config.norm_eps),
                SwiGLU(weights, config, f"blk.{i}"),
            )
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
