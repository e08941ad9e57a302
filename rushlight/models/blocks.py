"""Blocks of attention and a feed-forward network that an architecture puts together of its own parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rushlight.backends.base import Ops, Positions, RopeTable, Tensor, Weight
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Joined, Linear
from rushlight.models.weights import Weights

Part = Callable[[Ops, Tensor], Tensor]


class Block(NamedTuple):
    """The parts of one layer, in the order in which they are used; None: the layer has no such part.

    Attributes:
        config: hyper-parameters, the layer's own heads among them.
        attn_gate: of the layer's input; its sigmoid, or what `Blocks.gate` makes of it, multiplies what is
            attended, each column or each head.
        attn_sinks: as `Ops.attention` takes them.
        post_attention_norm, post_ffw_norm: behind attention and behind the network, before they are added.
    """

    config: Config
    attn_norm: Part
    attn_qkv: Joined
    attn_q_norm: Part | None
    attn_k_norm: Part | None
    attn_output: Linear
    ffn_norm: Part
    ffn: Part
    attn_gate: Linear | None = None
    attn_sinks: Weight | None = None
    post_attention_norm: Part | None = None
    post_ffw_norm: Part | None = None


def block_of(
    weights: Weights,
    config: Config,
    name: str,
    ffn: Part,
    *,
    norm: Callable[[Weights, str, int, float], Part] = RmsNorm,
    ffn_norm: str = "ffn_norm",
    qk_norms: tuple[int, int] | None = None,
    n_gate: int = 0,
    sinks: bool = False,
    post_norms: bool = False,
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
        n_gate: rows of ``attn_gate``; 0: there is none.
        sinks: the layer has ``attn_sinks``.
        post_norms: it has ``post_attention_norm`` and ``post_ffw_norm``.
    """
    n_embd, eps = config.n_embd, config.norm_eps
    q_norm = k_norm = None
    if qk_norms is not None:
        q_norm = RmsNorm(weights, f"{name}.attn_q_norm", qk_norms[0], eps)
        k_norm = RmsNorm(weights, f"{name}.attn_k_norm", qk_norms[1], eps)
    return Block(
        config=config,
        attn_norm=norm(weights, f"{name}.attn_norm", n_embd, eps),
        attn_qkv=weights.qkv(name, config),
        attn_q_norm=q_norm,
        attn_k_norm=k_norm,
        attn_output=weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v),
        ffn_norm=norm(weights, f"{name}.{ffn_norm}", n_embd, eps),
        ffn=ffn,
        attn_gate=weights.linear(f"{name}.attn_gate", n_gate, n_embd) if n_gate else None,
        attn_sinks=weights.vector(f"{name}.attn_sinks.weight", config.n_head) if sinks else None,
        post_attention_norm=norm(weights, f"{name}.post_attention_norm", n_embd, eps) if post_norms else None,
        post_ffw_norm=norm(weights, f"{name}.post_ffw_norm", n_embd, eps) if post_norms else None,
    )


class Blocks(Decoder):
    """A model of such blocks.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        windows: width of each layer's sliding window, 0 for none; None: no layer has one.
        layer_configs: heads of each layer; None: all have those of `config`.
        embed_scale: what embeddings are multiplied by.

    Attributes:
        blocks, output_norm, rope: an architecture sets them after this constructor.
    """

    blocks: Sequence[Block]
    output_norm: Part
    rope: RopeTable

    def __init__(
        self,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        windows: Sequence[int] | None = None,
        layer_configs: Sequence[Config] | None = None,
        embed_scale: float = 1.0,
    ) -> None:
        kept = [0] * config.n_layer if windows is None else windows
        super().__init__(config, weights, n_ctx, kept, layer_configs)
        self._embed_scale = embed_scale

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = self.embed(ops)
        for i, block in enumerate(self.blocks):
            attended = self.attend_block(ops, block, block.attn_norm(ops, x), i)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, _normed(ops, block.attn_output(ops, attended), block.post_attention_norm))
            x = ops.add(x, _normed(ops, block.ffn(ops, block.ffn_norm(ops, x)), block.post_ffw_norm))
        return self.output(ops, self.output_norm(ops, x))

    def embed(self, ops: Ops) -> Tensor:
        """What goes into the first layer: [T, E]."""
        return ops.embed(self.token_embd, self._embed_scale)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer; None: it knows no positions."""
        return self.rope

    def gate(self, ops: Ops, x: Tensor) -> Tensor:
        """What is attended is multiplied by, from the product of ``attn_gate``."""
        return ops.sigmoid(x)

    def choose(self, ops: Ops, x: Tensor, layer: int) -> Positions | None:
        """The positions that attention sees, by the layer's normed input; None: all."""
        return None

    def attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix: queries and keys are normed, then turned."""
        q, k, v = block.attn_qkv(ops, x)
        if block.attn_q_norm is not None and block.attn_k_norm is not None:
            q, k = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k)
        rope = self.rope_of(layer)
        chosen = self.choose(ops, x, layer)
        attended = self.attend(
            ops, (q, k, v), layer, rope, sinks=block.attn_sinks, config=block.config, chosen=chosen
        )
        if block.attn_gate is None:
            return attended
        gate = self.gate(ops, block.attn_gate(ops, x))
        if gate.n_columns == attended.n_columns:
            return ops.multiply(attended, gate)
        return ops.scale_rows(attended, gate)


def _normed(ops: Ops, x: Tensor, norm: Part | None) -> Tensor:
    return x if norm is None else norm(ops, x)
