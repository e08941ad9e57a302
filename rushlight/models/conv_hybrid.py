"""Short convolutions with attention in some layers: the layers of LFM2."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class ShortConv:
    """The gated convolution of a layer, up to its output projection."""

    def __init__(self, weights: Weights, n_embd: int, n_taps: int, name: str) -> None:
        self._in_proj = weights.linear(f"{name}.in_proj", 3 * n_embd, n_embd)
        self._conv = weights.columns(f"{name}.conv.weight", n_embd, n_taps)

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """``c * conv(b * x)``: [T, E]."""
        bcx, n = self._in_proj(ops, x), x.n_columns
        b, c, x = (bcx.columns(i * n, (i + 1) * n) for i in range(3))
        return ops.multiply(c, ops.short_conv(ops.multiply(b, x), self._conv, layer))


class NormedHeads:
    """Queries, keys and values of a layer; each query head and key head is normed."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        head_dim, eps = config.n_embd_head_k, config.norm_eps
        self._qkv = weights.qkv(name, config)
        self._q_norm = RmsNorm(weights, f"{name}.attn_q_norm", head_dim, eps)
        self._k_norm = RmsNorm(weights, f"{name}.attn_k_norm", head_dim, eps)

    def __call__(self, ops: Ops, x: Tensor) -> tuple[Tensor, ...]:
        """Queries [T, H * D], keys and values [T, KH * D]."""
        q, k, v = self._qkv(ops, x)
        return self._q_norm(ops, q), self._k_norm(ops, k), v


class Block:
    """The weights of one layer; `n_taps` is 0 where it has attention."""

    def __init__(self, weights: Weights, config: Config, n_taps: int, name: str, ffn: Part) -> None:
        n_embd, n_attended = config.n_embd, config.n_head * config.n_embd_head_v
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: ShortConv | NormedHeads
        if n_taps:
            self.mixer = ShortConv(weights, n_embd, n_taps, f"{name}.shortconv")
            self.output = weights.linear(f"{name}.shortconv.out_proj", n_embd, n_embd)
        else:
            self.mixer = NormedHeads(weights, config, name)
            self.output = weights.linear(f"{name}.attn_output", n_embd, n_attended)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn


class ConvHybrid(Decoder):
    """A model of such layers.

    Args:
        accounts: of the file.
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        heads: what `read_heads` gave.
        ffn: makes the feed-forward network of layer i.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """

    def __init__(
        self,
        accounts: Accounting,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        heads: tuple[int, ...],
        ffn: Callable[[int], Part],
    ) -> None:
        n_taps = accounts.get_int("shortconv.l_cache", min=2, max=1 << 10)
        conv = RecurrentCache(state=(0,), conv=(n_taps - 1, config.n_embd))
        super().__init__(config, weights, n_ctx, [config.n_swa if n else conv for n in heads])
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [
            Block(weights, config, 0 if n else n_taps, f"blk.{i}", ffn(i)) for i, n in enumerate(heads)
        ]
        self.output_norm = RmsNorm(weights, "token_embd_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, ShortConv):
                mixed = block.mixer(ops, normed, i)
            else:
                mixed = self.attend(ops, block.mixer(ops, normed), i, self.rope)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.output(ops, mixed))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
