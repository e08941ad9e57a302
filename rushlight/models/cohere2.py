"""Command R7B, Command A, Aya Expanse of the second generation.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network run side by side on the same norm:
  ``x + attention(norm(x)) + ffn(norm(x))``. It is a layer norm without bias.
- Of every four layers, three see only ``attention.sliding_window`` positions, and only these turn RoPE
  (interleaved pairs); the fourth sees all and knows no positions.
- The output head is the embedding; logits are multiplied by ``logit_scale``.

Source: Cohere 2025, "Command A"; ``cohere2.cpp`` in llama.cpp's ``src/models``; ``modeling_cohere2.py`` in
transformers.
"""

from __future__ import annotations

from collections.abc import Sequence

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.layers import LayerNorm, RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class SideBySideBlock:
    """The weights of one layer, whose attention and feed-forward network take in the same norm."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        name: str,
        ffn: Part,
        norm: type[LayerNorm | RmsNorm] = LayerNorm,
    ) -> None:
        n_embd = config.n_embd
        self.attn_norm = norm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn = ffn


class SideBySideLayers(Decoder):
    """A model of such layers.

    Attributes:
        blocks: the layers.
        ropes: what each turns its heads by, None for nothing.
        output_norm: in front of the head.
        logit_scale: what logits are multiplied by.
    """

    blocks: Sequence[SideBySideBlock]
    ropes: Sequence[RopeTable | None]
    output_norm: LayerNorm | RmsNorm
    logit_scale: float

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, normed), i, self.ropes[i])
            if block is self.blocks[-1]:
                x, normed, attended = ops.outputs(x), ops.outputs(normed), ops.outputs(attended)
            x = ops.add(x, block.ffn(ops, normed))
            x = ops.add(x, block.attn_output(ops, attended))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), self.logit_scale)


class Model(SideBySideLayers):
    """A model of the cohere2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        self.logit_scale = accounts.get_float("logit_scale") or 1.0  # 0 stands for none
        config = read_config(accounts, "cohere2", norm_eps="attention.layer_norm_epsilon", n_swa=n_swa)
        accounts.expect(
            "rope.freq_base_swa", config.rope_freq_base, "another base for windowed layers is not implemented"
        )
        weights = Weights(accounts, backend)
        is_local = read_window_layers(accounts, config.n_layer, period=4)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in is_local])
        rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.ropes = [rope if local else None for local in is_local]
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            SideBySideBlock(weights, config, name, SwiGLU(weights, config, name)) for name in names
        ]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)
