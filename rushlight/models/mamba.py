"""Mamba and Falcon-Mamba.

No attention and no feed-forward networks: each layer is an RMS norm and a state-space layer (see
`rushlight.models.selective_ssm`) with ``ssm_out`` behind it. Falcon-Mamba, where ``ssm.dt_b_c_rms`` is true,
norms the low-rank step, b and c, without weights.

Source: Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces"; Zuo et al. 2024,
"Falcon Mamba"; ``mamba.cpp`` in llama.cpp's ``src/models``; ``modeling_mamba.py`` and
``modeling_falcon_mamba.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.attention_free import AttentionFree, Block, read_attention_free
from rushlight.models.layers import RmsNorm
from rushlight.models.selective_ssm import Mamba, read_selective_ssm
from rushlight.models.weights import Weights


class Model(AttentionFree):
    """A model of the mamba architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_attention_free(accounts, "mamba"), Weights(accounts, backend)
        sizes, norms = read_selective_ssm(accounts), accounts.get_bool("ssm.dt_b_c_rms", False)
        super().__init__(config, weights, n_ctx, sizes.cache)

        def block(name: str) -> Block:
            return Block(
                RmsNorm(weights, f"{name}.attn_norm", config.n_embd, config.norm_eps),
                Mamba(weights, config, sizes, name, norms),
                weights.linear(f"{name}.ssm_out", config.n_embd, sizes.n_inner),
            )

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
