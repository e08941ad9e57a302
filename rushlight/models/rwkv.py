"""What the models of RWKV share: tokens that look at the one before them, and layers of two such parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rushlight.backends.base import Ops, Tensor, Weight
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.attention_free import read_attention_free
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights

_MAX = 1 << 24


class TimeMix(Protocol):
    """The part of a layer that has a state."""

    def __call__(self, ops: Ops, x: Tensor, layer: int, first_value: Tensor | None) -> tuple[Tensor, Tensor]:
        """Its output [T, E], and its values; `first_value` are those of the first layer."""
        ...


class Heads(NamedTuple):
    """Heads of the time mix (H) and their columns (D)."""

    n_head: int
    head_dim: int

    @property
    def cache(self) -> RecurrentCache:
        """What a time mix keeps of a sequence: its state, and the input of the last token."""
        return RecurrentCache((self.n_head, self.head_dim, self.head_dim), (1, self.n_head * self.head_dim))


def read_rwkv(
    accounts: Accounting, arch: str, norm_eps: str, n_shift: int, n_head_kv: int = 0
) -> tuple[Config, Heads]:
    """Read what every model of RWKV has.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        norm_eps: key of the norms' epsilon.
        n_shift: parts of a layer that look at the token before.
        n_head_kv: as `read_attention_free` takes it.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
        UnsupportedModel: another number of parts that look at the token before.
    """
    n_ff = accounts.get_int("feed_forward_length", min=1, max=_MAX)
    config = read_attention_free(accounts, arch, norm_eps=norm_eps, n_ff=n_ff, n_head_kv=n_head_kv)
    accounts.expect("token_shift_count", n_shift, "layers of this architecture are made otherwise")
    head_dim = accounts.get_int("wkv.head_size", min=1, max=config.n_embd)
    if config.n_embd % head_dim:
        raise InvalidFile(f"{config.n_embd} columns are no whole number of heads of {head_dim}.")
    return config, Heads(config.n_embd // head_dim, head_dim)


class TokenShift:
    """How far the token before is from each token: ``x[t - 1] - x[t]``, with zeros before the first."""

    def __init__(self, weights: Weights, n: int) -> None:
        self._taps = weights.numbers([1.0] * n + [-1.0] * n)

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The differences [T, E]; the cache of `layer` keeps the last token's x."""
        return ops.short_conv(x, self._taps, layer)


def lerp(ops: Ops, x: Tensor, shift: Tensor, weight: Weight | Tensor) -> Tensor:
    """A mixture of each token and the one before it: ``x + shift * weight``."""
    return ops.add(x, ops.multiply(shift, weight))


class ChannelMix(Protocol):
    """The part of a layer that stands where others have a feed-forward network."""

    def __call__(self, ops: Ops, x: Tensor, shift: Tensor) -> Tensor:
        """Its output."""
        ...


class MixedBlock(NamedTuple):
    """The parts of one layer."""

    attn_norm: Part
    time_mix: TimeMix
    attn_norm_2: Part
    channel_mix: ChannelMix


class Rwkv(Decoder):
    """A model of layers with a time mix and a channel mix.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        heads: of the time mix.
        rescale_every: so many layers halve what they give on; 0: none does.

    Attributes:
        blocks: an architecture sets them after this constructor.
    """

    blocks: Sequence[MixedBlock]

    def __init__(
        self, config: Config, weights: Weights, n_ctx: int | None, heads: Heads, rescale_every: int = 0
    ) -> None:
        shifted = RecurrentCache((0,), (1, config.n_embd))
        super().__init__(config, weights, n_ctx, [heads.cache, shifted] * config.n_layer)
        self.token_embd_norm = LayerNorm(weights, "token_embd_norm", config.n_embd, config.norm_eps)
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)
        self._rescale_every, self._shift = rescale_every, TokenShift(weights, config.n_embd)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = self.token_embd_norm(ops, ops.embed(self.token_embd))
        first_value = None
        for i, block in enumerate(self.blocks):
            mixed, value = block.time_mix(ops, block.attn_norm(ops, x), 2 * i, first_value)
            first_value = value if first_value is None else first_value
            x = ops.add(x, mixed)
            normed = block.attn_norm_2(ops, x)
            shift = self._shift(ops, normed, 2 * i + 1)
            if block is self.blocks[-1]:
                x, normed, shift = ops.outputs(x), ops.outputs(normed), ops.outputs(shift)
            x = ops.add(x, block.channel_mix(ops, normed, shift))
            if self._rescale_every and (i + 1) % self._rescale_every == 0:
                x = ops.scale(x, 0.5)
        return self.output(ops, self.output_norm(ops, x))


class NetworkBlock(NamedTuple):
    """The parts of one layer."""

    attn_norm: Part
    time_mix: TimeMix
    ffn_norm: Part
    ffn: Part


class RwkvWithNetworks(Decoder):
    """A model whose layers have a time mix where a llama block has its attention.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        heads: of the time mix.

    Attributes:
        blocks, output_norm: an architecture sets them after this constructor.
    """

    blocks: Sequence[NetworkBlock]
    output_norm: Part

    def __init__(self, config: Config, weights: Weights, n_ctx: int | None, heads: Heads) -> None:
        super().__init__(config, weights, n_ctx, [heads.cache] * config.n_layer)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x, first_value = ops.embed(self.token_embd), None
        for i, block in enumerate(self.blocks):
            mixed, value = block.time_mix(ops, block.attn_norm(ops, x), i, first_value)
            first_value = value if first_value is None else first_value
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, mixed)
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
