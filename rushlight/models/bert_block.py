"""The block of BERT, whose norms come behind what they norm, for the architectures whose layers it is."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor, Weight
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.encoder import Encoder
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights

Network = Callable[[Ops, Tensor], Tensor]
"""A feed-forward network."""


class BertBlock:
    """The weights of one layer: attention, norm, feed-forward network, norm.

    Args:
        weights: of the file.
        config: hyper-parameters.
        name: of the layer.
        ffn: its feed-forward network.
    """

    def __init__(self, weights: Weights, config: Config, name: str, ffn: Network) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.attn_output_norm = LayerNorm(weights, f"{name}.attn_output_norm", n_embd, eps)
        self.ffn = ffn
        self.layer_output_norm = LayerNorm(weights, f"{name}.layer_output_norm", n_embd, eps)

    def qkv(self, ops: Ops, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values."""
        return self.attn_qkv(ops, x)

    def attended(self, ops: Ops, x: Tensor, attended: Tensor) -> Tensor:
        """What goes into the feed-forward network: the input of the layer and what it attended to, normed."""
        return self.attn_output_norm(ops, ops.add(x, self.attn_output(ops, attended)))


class BertBlocks(Encoder):
    """A model of such blocks. The embedding is the token's and, where the file has it, that of text type 0.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        block: makes the layer of a number.

    Attributes:
        rope, slopes, position_embd: how the model knows positions; an architecture sets what it has.
    """

    rope: RopeTable | None = None
    slopes: Weight | None = None
    position_embd: Weight | None = None

    def __init__(
        self, config: Config, weights: Weights, n_ctx: int | None, block: Callable[[int], BertBlock]
    ) -> None:
        super().__init__(config, weights, n_ctx)
        self._type_embd = weights.optional_first_row("token_types.weight", config.n_embd)
        self._embd_norm = LayerNorm(weights, "token_embd_norm", config.n_embd, config.norm_eps)
        self.blocks = [block(i) for i in range(config.n_layer)]

    def forward(self, ops: Ops) -> Tensor:
        """The embedding, scores or hidden states [R, n] of one step."""
        x = ops.embed(self.token_embd)
        if self._type_embd is not None:
            x = ops.add(x, self._type_embd)
        if self.position_embd is not None:
            x = ops.add(x, ops.embed_positions(self.position_embd))
        x = self._embd_norm(ops, x)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.qkv(ops, x), i, self.rope, slopes=self.slopes)
            if block is self.blocks[-1]:
                x, attended = self.needed(ops, x), self.needed(ops, attended)
            x = block.attended(ops, x, attended)
            x = block.layer_output_norm(ops, ops.add(x, block.ffn(ops, x)))
        return self.result(ops, x)


class RotaryBert(BertBlocks):
    """A BERT in which RoPE turns halves of a head (NeoX) in place of the embeddings of positions.

    Args:
        accounts: of the file.
        backend: takes the weights.
        n_ctx: positions to load for; None: as many as the model was trained for.
        arch: the architecture.
        ffn: makes the feed-forward network of a layer, which it is told by name.
    """

    def __init__(
        self,
        accounts: Accounting,
        backend: Backend,
        n_ctx: int | None,
        arch: str,
        ffn: Callable[[Weights, Config, str], Network],
    ) -> None:
        config = read_config(
            accounts, arch, norm_eps="attention.layer_norm_epsilon", pools=True, causal=False
        )
        weights = Weights(accounts, backend)

        def block(layer: int) -> BertBlock:
            name = f"blk.{layer}"
            return BertBlock(weights, config, name, ffn(weights, config, name))

        super().__init__(config, weights, n_ctx, block)
        self.rope = self.rope_table(interleaved=False)
