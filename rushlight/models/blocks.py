"""Blocks of attention and a feed-forward network that an architecture puts together of its own parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rushlight.backends.base import Ops, RopeTable, Tensor
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Joined, Linear, Weights

Part = Callable[[Ops, Tensor], Tensor]


class Block(NamedTuple):
    """The parts of one layer, in the order in which they are used; None: the layer has no such norm."""

    attn_norm: Part
    attn_qkv: Joined
    attn_q_norm: Part | None
    attn_k_norm: Part | None
    attn_output: Linear
    ffn_norm: Part
    ffn: Part


def block_of(
    weights: Weights,
    config: Config,
    name: str,
    ffn: Part,
    *,
    norm: Callable[[Weights, str, int, float], Part] = RmsNorm,
    ffn_norm: str = "ffn_norm",
    qk_norms: tuple[int, int] | None = None,
) -> Block:
    """The layer `name`, whose parts other than the feed-forward network are those of a llama block.

    Args:
        weights: of the file.
        config: hyper-parameters.
        name: of the layer.
        ffn: its feed-forward network.
        norm: class of its norms.
        ffn_norm: name of the norm in front of the feed-forward network.
        qk_norms: columns of RMS norms of queries and of keys; None: there are none.
    """
    n_embd, eps = config.n_embd, config.norm_eps
    q_norm = k_norm = None
    if qk_norms is not None:
        q_norm = RmsNorm(weights, f"{name}.attn_q_norm", qk_norms[0], eps)
        k_norm = RmsNorm(weights, f"{name}.attn_k_norm", qk_norms[1], eps)
    return Block(
        attn_norm=norm(weights, f"{name}.attn_norm", n_embd, eps),
        attn_qkv=weights.qkv(name, config),
        attn_q_norm=q_norm,
        attn_k_norm=k_norm,
        attn_output=weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v),
        ffn_norm=norm(weights, f"{name}.{ffn_norm}", n_embd, eps),
        ffn=ffn,
    )


class Blocks(Decoder):
    """A model of such blocks.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        windows: width of each layer's sliding window, 0 for none; None: no layer has one.

    Attributes:
        blocks, output_norm, rope: an architecture sets them after this constructor.
    """

    blocks: Sequence[Block]
    output_norm: Part
    rope: RopeTable

    def __init__(
        self, config: Config, weights: Weights, n_ctx: int | None, windows: Sequence[int] | None = None
    ) -> None:
        super().__init__(config, weights, n_ctx, [0] * config.n_layer if windows is None else windows)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend_block(ops, block, block.attn_norm(ops, x), i)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))

    def attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix: queries and keys are normed, then turned."""
        q, k, v = block.attn_qkv(ops, x)
        if block.attn_q_norm is not None and block.attn_k_norm is not None:
            q, k = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k)
        return self.attend(ops, (q, k, v), layer, self.rope)
