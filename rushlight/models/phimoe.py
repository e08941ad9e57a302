"""Phi-3.5-MoE.

A llama block (see `rushlight.models.llama`), with these differences:

- Layer norms with biases; every linear layer of attention has a bias, and the output head.
- RoPE turns halves of a head (NeoX), with LongRoPE's two sets of factors as in phi3 (see
  `rushlight.models.phi3`).
- ``attention.sliding_window``, where it is not 0, limits every layer to that many positions.
- Experts in place of the feed-forward network, routed by a sparse mixer: one choice after the other, each
  weighed by the softmax of the best logit left over those near it (see `Routing`). The weights are not
  divided by their sum, which is near ``expert_used_count``.

This follows transformers. llama.cpp takes RMS norms for the layer norms, softmax over all experts with
weights divided by their sum for the sparse mixer, and no window.

Source: Abdin et al. 2024, "Phi-3 Technical Report"; Liu et al. 2024, "GRIN: GRadient-INformed MoE";
``modeling_phimoe.py`` in transformers; ``phimoe.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the phimoe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config = read_config(accounts, "phimoe", n_swa=n_swa, experts=True)
        experts = read_experts(accounts, config.n_layer, config.n_ff, gating="sparse_mixer", normalize=False)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [n_swa] * config.n_layer)
        longrope = config.rope_scaling.type == "longrope"
        self.rope = self.rope_table(False, weights.longrope_factors(config.n_rot, optional=not longrope))
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            block_of(weights, config, name, SwiGLUExperts(weights, config, experts, name), norm=LayerNorm)
            for name in names
        ]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)
