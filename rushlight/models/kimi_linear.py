"""Kimi Linear 48B-A3B.

The layers are an RMS norm and attention, an RMS norm and a feed-forward network, as in a llama block (see
`rushlight.models.llama`). No position turns anything.

- A layer whose entry of ``attention.head_count_kv`` is 0 has Kimi delta attention (see
  `rushlight.models.kda`).
- The others have multi-head latent attention with the short vectors in the cache (see
  `rushlight.models.latent_attention`), and queries straight from the input (``attn_q``).
- All layers but the first ``leading_dense_block_count`` are mixtures of experts: sigmoid or softmax
  (``expert_gating_func``), a bias that takes part in the choice alone (``exp_probs_b``), weights divided by
  their sum and multiplied (``expert_weights_scale``), and ``expert_shared_count`` experts that every token
  uses.

Old files, whose keys and values are one ``attn_kv_b``, are refused.

Source: Kimi Team 2025, "Kimi Linear: An Expressive, Efficient Attention Architecture"; ``kimi-linear.cpp``
in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math
from dataclasses import replace

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.kda import KdaSizes, KimiDeltaAttention, read_kda
from rushlight.models.latent_attention import LatentAttention, LatentSizes, read_absorbed
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer; `n_head_kv` is 0 where it has Kimi delta attention."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: tuple[KdaSizes, LatentSizes],
        n_head_kv: int,
        experts: ExpertConfig,
        layer: int,
    ) -> None:
        name, n_embd = f"blk.{layer}", config.n_embd
        kda, latent = sizes
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: KimiDeltaAttention | LatentAttention
        if n_head_kv:
            self.mixer = LatentAttention(weights, config, latent, name)
            n_mixed = latent.n_head * latent.n_value
        else:
            self.mixer = KimiDeltaAttention(weights, config, kda, name)
            n_mixed = kda.n_inner
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_mixed)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn_of(weights, config, experts, layer)


class Model(Decoder):
    """A model of the kimi-linear architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads = read_heads(accounts)
        config = read_config(accounts, "kimi-linear", n_head_kv=max(heads), experts=True)
        accounts.expect("expert_weights_norm", True, "weights are always divided by their sum here")
        experts = read_deepseek_experts(accounts, config.n_layer, "sigmoid")
        experts = experts._replace(routing=replace(experts.routing, normalize=True))
        accounts.expect("attention.q_lora_rank", 0, "queries come straight from the input here")
        kda, latent = read_kda(accounts, config), read_absorbed(accounts, config)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0 if n else kda.cache for n in heads])
        self.attention_scale = 1 / math.sqrt(latent.n_key)
        self.blocks = [Block(weights, config, (kda, latent), n, experts, i) for i, n in enumerate(heads)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, LatentAttention):
                mixed = block.mixer(ops, normed, i, None, self.attention_scale)
            else:
                mixed = block.mixer(ops, normed, i)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.attn_output(ops, mixed))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
