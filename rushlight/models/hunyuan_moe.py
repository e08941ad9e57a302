"""Hunyuan-A13B.

A llama block (see `rushlight.models.llama`), with these differences:

- Each query head and each key head goes through an RMS norm of its own width after RoPE, which turns halves
  (NeoX).
- Experts as wide as ``feed_forward_length``: softmax over all of them, the weights of the chosen divided by
  their sum, and a shared expert that every token uses, ``expert_shared_feed_forward_length`` wide or as wide
  as they are.

``expert_feed_forward_length``, which such files carry, says the same as ``feed_forward_length``.

Source: Tencent Hunyuan Team 2025, "Hunyuan-A13B Technical Report"; ``hunyuan-moe.cpp`` in llama.cpp's
``src/models``; ``modeling_hunyuan_v1_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the hunyuan-moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "hunyuan-moe", experts=True), Weights(accounts, backend)
        accounts.ignore("expert_shared_count", "expert_shared_feed_forward_length is that of all together")
        accounts.expect("expert_feed_forward_length", config.n_ff, "experts of another width are not known")
        experts = read_experts(accounts, config.n_layer, config.n_ff)
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0) or config.n_ff
        experts = experts._replace(n_ff_shared=n_ff_shared)
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", ffn_of(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(config.n_layer)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix: queries and keys are turned, then normed."""
        config = self.config
        q, k, v = block.attn_qkv(ops, x)
        q, k = ops.rope(q, self.rope, config.n_head), ops.rope(k, self.rope, config.n_head_kv)
        assert block.attn_q_norm is not None and block.attn_k_norm is not None
        q, k = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k)
        return self.attend(ops, (q, k, v), layer, rope=None)
