"""Trinity of Arcee AI: Nano and Mini.

A llama block (see `rushlight.models.llama`), with these differences:

- The embedding is multiplied by sqrt(n_embd).
- Norms behind attention and feed-forward network, too (``post_attention_norm``, ``post_ffw_norm``).
- Each query head and each key head goes through an RMS norm of its own width.
- Of every four layers, three see only ``attention.sliding_window`` positions, and only these turn RoPE, by
  halves (NeoX); the fourth sees all and knows no positions.
- What is attended is multiplied by the sigmoid of ``attn_gate``'s product with the layer's input.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts as in DeepSeek-V3: sigmoid
  (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), weights divided by
  their sum (``expert_weights_norm``) and multiplied (``expert_weights_scale``), and ``expert_shared_count``
  experts that every token uses.

Source: Arcee AI 2025, "Trinity"; ``afmoe.cpp`` in llama.cpp's ``src/models``; ``modeling_afmoe.py`` in
transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, RopeTable
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.expert_config import read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the afmoe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        config = read_config(accounts, "afmoe", n_swa=n_swa, experts=True)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        experts = read_deepseek_experts(accounts, config.n_layer, "sigmoid")
        weights = Weights(accounts, backend)
        self.is_local = read_window_layers(accounts, config.n_layer, period=4)
        windows = [n_swa if local else 0 for local in self.is_local]
        super().__init__(config, weights, n_ctx, windows, embed_scale=math.sqrt(config.n_embd))
        self.rope = self.rope_table(interleaved=False, freq_base=local_base)
        self.blocks = [
            block_of(
                weights,
                config,
                f"blk.{i}",
                ffn_of(weights, config, experts, i),
                qk_norms=(config.n_embd_head_k, config.n_embd_head_k),
                n_gate=config.n_head * config.n_embd_head_v,
                post_norms=True,
            )
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a windowed layer."""
        return self.rope if self.is_local[layer] else None
