"""K-EXAONE and EXAONE 4 with experts.

A llama block (see `rushlight.models.llama`), with these differences:

- Each query head and each key head goes through an RMS norm of its own width.
- Of every four layers, three see only ``attention.sliding_window`` positions, and only these turn RoPE, by
  halves (NeoX); the fourth sees all and knows no positions. ``attention.sliding_window_pattern`` may say
  otherwise.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts as in DeepSeek-V3: sigmoid
  or softmax (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), a choice
  of groups first, weights divided by their sum (``expert_weights_norm``) and multiplied
  (``expert_weights_scale``), and a shared expert, ``expert_shared_feed_forward_length`` wide.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: LG AI Research 2025, "K-EXAONE Technical Report"; ``exaone-moe.cpp`` in llama.cpp's ``src/models``;
``modeling_exaone_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, RopeTable
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import read_config, read_window_layers
from rushlight.models.expert_config import read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the exaone-moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        config = read_config(accounts, "exaone-moe", n_swa=n_swa, experts=True, n_layer_nextn=n_next)
        n_layer, n_all = config.n_layer, config.n_layer + n_next
        accounts.expect(
            "rope.freq_base_swa", config.rope_freq_base, "another base for windowed layers is not implemented"
        )
        experts = read_deepseek_experts(accounts, n_all, "sigmoid")
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", experts.n_ff, min=1)
        experts = experts._replace(n_ff_shared=n_ff_shared)
        weights = Weights(accounts, backend)
        self.is_local = read_window_layers(accounts, n_all, period=4)[:n_layer]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a windowed layer."""
        return self.rope if self.is_local[layer] else None
