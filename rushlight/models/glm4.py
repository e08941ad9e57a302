"""GLM-4-0414 and GLM-Z1, the dense models: 9B and 32B.

Beside a llama block (see `rushlight.models.llama`):

- Attention and feed-forward network are each followed by a second norm (``post_attention_norm``,
  ``post_ffw_norm``) before the residual is added.
- ``attn_q``, ``attn_k`` and ``attn_v`` have biases; ``ffn_up`` holds gate, then up.
- RoPE turns interleaved pairs of the first ``rope.dimension_count`` columns of a head, half of it.

Files for images, which carry ``rope.dimension_sections``, and layers that predict several tokens are refused.

Source: Team GLM 2024, "ChatGLM: A Family of Large Language Models"; ``glm4.cpp`` in llama.cpp's
``src/models``; ``modeling_glm4.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import FusedSwiGLU, RmsNorm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = FusedSwiGLU(weights, config, name)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)


class Model(Decoder):
    """A model of the glm4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "glm4"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.post_attention_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.post_ffw_norm(ops, block.ffn(ops, block.ffn_norm(ops, x))))
        return self.output(ops, self.output_norm(ops, x))
