"""StableLM 3B, Zephyr, and StableLM 2: 1.6B and 12B.

Beside a llama block (see `rushlight.models.llama`):

- Layer norms with biases.
- RoPE turns halves (NeoX) of the first ``rope.dimension_count`` columns of a head.
- ``attn_q``, ``attn_k`` and ``attn_v`` have biases in the 1.6B model.
- The 12B model has a layer norm for each query head and each key head, with weights of its own and no bias,
  before RoPE. It has no ``ffn_norm``: attention and feed-forward network run side by side on the same norm.

Source: Bellagente et al. 2024, "Stable LM 2 1.6B Technical Report"; ``stablelm.cpp`` in llama.cpp's
``src/models``; ``modeling_stablelm.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import HeadLayerNorm, LayerNorm, SwiGLU
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, head_dim, eps = config.n_embd, config.n_embd_head_k, config.norm_eps
        self.attn_norm = LayerNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = HeadLayerNorm(weights, f"{name}.attn_q_norm", config.n_head, head_dim, eps)
        self.attn_k_norm = HeadLayerNorm(weights, f"{name}.attn_k_norm", config.n_head_kv, head_dim, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        has_norm = weights.has(f"{name}.ffn_norm.weight")
        self.ffn_norm = LayerNorm(weights, f"{name}.ffn_norm", n_embd, eps) if has_norm else None
        self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the stablelm architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.ignore("use_parallel_residual", "converters write true for all; ffn_norm tells them apart")
        config = read_config(accounts, "stablelm", norm_eps="attention.layer_norm_epsilon")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            q, k, v = block.attn_qkv(ops, normed)
            attended = self.attend(
                ops, (block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v), i, self.rope
            )
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, normed if block.ffn_norm is None else block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
