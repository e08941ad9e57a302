"""Gated delta nets with gated attention every few layers: the layers of Qwen3-Next and Qwen3.5."""

from __future__ import annotations

import math
from collections.abc import Callable

from rushlight.backends.base import Ops, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.delta_net import DeltaNet, DeltaNetSizes, read_delta_net
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class GatedAttention:
    """Attention whose result is gated head by head, up to its output projection."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, head_dim, eps = config.n_embd, config.n_embd_head_k, config.norm_eps
        sizes = config.n_head_kv * head_dim, config.n_head_kv * config.n_embd_head_v
        self._config = config
        self._q, self._gate = weights.halves(f"{name}.attn_q", config.n_head, head_dim, n_embd)
        self._kv = weights.joined((f"{name}.attn_k", f"{name}.attn_v"), sizes, n_embd)
        self._q_norm = RmsNorm(weights, f"{name}.attn_q_norm", head_dim, eps)
        self._k_norm = RmsNorm(weights, f"{name}.attn_k_norm", head_dim, eps)

    def __call__(self, ops: Ops, x: Tensor, layer: int, rope: RopeTable) -> Tensor:
        """The gated heads: [T, H * D]."""
        config = self._config
        k, v = self._kv(ops, x)
        q = ops.rope(self._q_norm(ops, self._q(ops, x)), rope, config.n_head)
        k = ops.rope(self._k_norm(ops, k), rope, config.n_head_kv)
        attended = ops.attention(q, k, v, layer, 1 / math.sqrt(config.n_embd_head_k))
        return ops.multiply(attended, ops.sigmoid(self._gate(ops, x)))


class Block:
    """The weights of one layer; `sizes` is None where it has attention."""

    def __init__(
        self, weights: Weights, config: Config, sizes: DeltaNetSizes | None, name: str, ffn: Part
    ) -> None:
        n_embd = config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: GatedAttention | DeltaNet
        if sizes is None:
            self.mixer = GatedAttention(weights, config, name)
            self.output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        else:
            self.mixer = DeltaNet(weights, config, sizes, name)
            self.output = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_value)
        self.ffn_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, config.norm_eps)
        self.ffn = ffn


def read_recurrent_layers(accounts: Accounting, n_layer: int, interval: int = 4) -> tuple[bool, ...]:
    """Which layers are recurrent, as the file lists them or says by an interval, if only by the usual one.

    Raises:
        InvalidFile: a list that is none of bools, one a layer.
    """
    interval = accounts.get_int("full_attention_interval", interval, min=1)
    periodic = tuple((i + 1) % interval != 0 for i in range(n_layer))
    return accounts.get_bools("attention.recurrent_layers", n_layer, periodic)


class GatedHybrid(Decoder):
    """A model of such layers.

    Args:
        accounts: of the file.
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        n_next: layers at the end that predict a further token; they are left out.
        grouped: as `DeltaNetSizes` has it.
        ffn: makes the feed-forward network of a layer, which it is told by name.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
    """

    def __init__(
        self,
        accounts: Accounting,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        n_next: int,
        grouped: bool,
        ffn: Callable[[str], Part],
    ) -> None:
        n_layer = config.n_layer
        if config.n_embd_head_k != config.n_embd_head_v:
            raise InvalidFile(
                f"Key heads have {config.n_embd_head_k} columns and value heads {config.n_embd_head_v}; "
                "expected equal numbers."
            )
        sizes = read_delta_net(accounts, grouped)
        recurrent = read_recurrent_layers(accounts, n_layer + n_next)[:n_layer]
        super().__init__(config, weights, n_ctx, [sizes.cache if r else 0 for r in recurrent])
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [
            Block(weights, config, sizes if r else None, name, ffn(name))
            for name, r in ((f"blk.{i}", r) for i, r in enumerate(recurrent))
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, DeltaNet):
                mixed = block.mixer(ops, normed, i)
            else:
                mixed = block.mixer(ops, normed, i, self.rope)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.output(ops, mixed))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
