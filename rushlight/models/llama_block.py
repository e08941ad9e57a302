"""The llama block, for the architectures whose layers it is: their files say what they add."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.base import Ops, RopeTable, Tensor, Weight
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import LayerNorm, RmsNorm, SwiGLU
from rushlight.models.weights import Weights

Network = Callable[[Ops, Tensor], Tensor]
"""A feed-forward network, as `layers` has them."""


class LlamaBlock:
    """The weights of one layer: norm, attention, norm, feed-forward network.

    Args:
        weights: of the file.
        config: hyper-parameters.
        name: of the layer.
        ffn_norm: name of the norm in front of the feed-forward network.
        ffn: that network; None: SwiGLU.
        norm: the kind of both norms.
    """

    def __init__(
        self,
        weights: Weights,
        config: Config,
        name: str,
        ffn_norm: str = "ffn_norm",
        ffn: Network | None = None,
        norm: type[RmsNorm | LayerNorm] = RmsNorm,
    ) -> None:
        n_embd = config.n_embd
        self.attn_norm = norm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = norm(weights, f"{name}.{ffn_norm}", n_embd, config.norm_eps)
        self.ffn = SwiGLU(weights, config, name) if ffn is None else ffn


class NormedHeadsBlock(LlamaBlock):
    """The weights of one layer: those of a llama block, and an RMS norm of each query head and key head."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        super().__init__(weights, config, name)
        head_dim, eps = config.n_embd_head_k, config.norm_eps
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", head_dim, eps)
        self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", head_dim, eps)


class LlamaBlocks(Decoder):
    """A model of llama blocks alone. An architecture reads its configuration and makes the RoPE tables.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        ffn_norm: as `LlamaBlock` takes it.
        ffn: makes a layer's feed-forward network.
        norm: the kind of all norms.
        embed_scale: what embeddings are multiplied by.

    Attributes:
        rope, slopes: how the model knows positions, RoPE's angles or ALiBi's slopes; an architecture sets
            what it has after this constructor.
        attention_scale: of the scores; None: ``1 / sqrt(D)``.
    """

    rope: RopeTable | None = None
    slopes: Weight | None = None
    attention_scale: float | None = None

    def __init__(
        self,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        ffn_norm: str = "ffn_norm",
        ffn: Callable[[Weights, Config, str], Network] = SwiGLU,
        norm: type[RmsNorm | LayerNorm] = RmsNorm,
        embed_scale: float = 1.0,
    ) -> None:
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            LlamaBlock(weights, config, name, ffn_norm, ffn(weights, config, name), norm) for name in names
        ]
        self.output_norm = norm(weights, "output_norm", config.n_embd, config.norm_eps)
        self._embed_scale = embed_scale

    def embedded(self, ops: Ops) -> Tensor:
        """What goes into the first layer."""
        return ops.embed(self.token_embd, self._embed_scale)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x, scale = self.embedded(ops), self.attention_scale
        for i, block in enumerate(self.blocks):
            qkv = block.attn_qkv(ops, block.attn_norm(ops, x))
            attended = self.attend(ops, qkv, i, self.rope, scale, slopes=self.slopes)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
