"""The time mix of RWKV-6: linear attention whose decays, and mixtures with the token before, are learned.

Source: Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence";
``rwkv6-base.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.linear import Linear
from rushlight.models.rwkv import Heads, TokenShift, lerp
from rushlight.models.rwkv7_time_mix import GROUP_NORM_EPS
from rushlight.models.weights import Weights

_MAX = 1 << 20
_INPUTS = "wkvrg"


class Ranks(NamedTuple):
    """Columns of the low-rank maps: of each of the five mixtures, and of decays."""

    mix: int
    decay: int


def read_ranks(accounts: Accounting) -> Ranks:
    """Read ``time_mix_extra_dim`` and ``time_decay_extra_dim``.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """
    return Ranks(
        mix=accounts.get_int("time_mix_extra_dim", min=1, max=_MAX),
        decay=accounts.get_int("time_decay_extra_dim", min=1, max=_MAX),
    )


class MixedInputs:
    """Five mixtures of each token's input and that of the token before, for w, k, v, r and g.

    ``x + shift * (lerp + w2 tanh(w1 (x + shift * lerp_x)))``, ``w1`` being one matrix of all five and ``w2``
    one for each; ``time_mix_lerp_fused`` has the five vectors, or old files have one tensor for each.
    """

    def __init__(self, weights: Weights, n: int, rank: int, name: str) -> None:
        self._shift, self._n = TokenShift(weights, n), n
        (self._lerp_x,) = weights.vectors(f"{name}_lerp_x.weight", 1, n)
        fused = f"{name}_lerp_fused.weight"
        if weights.has(fused):
            self._lerps = weights.vectors(fused, len(_INPUTS), n)
        else:
            self._lerps = [weights.vectors(f"{name}_lerp_{part}.weight", 1, n)[0] for part in _INPUTS]
        self._w1 = weights.linear(f"{name}_w1", len(_INPUTS) * rank, n)
        self._w2 = weights.experts(f"{name}_w2", len(_INPUTS), n, rank).weight

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> list[Tensor]:
        """The five inputs, each [T, E]."""
        shift, n = self._shift(ops, x, layer), self._n
        made = ops.softcap(self._w1(ops, lerp(ops, x, shift, self._lerp_x)), 1.0)  # a cap of 1 is tanh
        made = ops.head_linear(made, self._w2)
        return [
            lerp(ops, x, shift, ops.add(made.columns(i * n, (i + 1) * n), weight))
            for i, weight in enumerate(self._lerps)
        ]


class Rwkv6TimeMix:
    """The weights of one layer's time mix.

    ``w = exp(-exp(decay + decay_w2 tanh(decay_w1 x)))`` is the decay of each row of a state. What is read
    (see `Ops.wkv6`) goes through a layer norm of each head (``time_mix_ln``) and is multiplied by SiLU of the
    gate.
    """

    def __init__(self, weights: Weights, config: Config, heads: Heads, ranks: Ranks, name: str) -> None:
        n = config.n_embd
        self._n_head, self._inputs = heads.n_head, MixedInputs(weights, n, ranks.mix, name)
        self._decay = _decay(weights, n, ranks.decay, name)
        parts = "key", "value", "receptance", "gate", "output"
        linears = [weights.linear(f"{name}_{part}", n, n) for part in parts]
        self._key, self._value, self._receptance, self._gate, self._output = linears
        self._first = weights.flat(f"{name}_first.weight", heads.n_head, heads.head_dim)
        self._ln = weights.vector(f"{name}_ln.weight", n), weights.vector(f"{name}_ln.bias", n)

    def __call__(self, ops: Ops, x: Tensor, layer: int, first_value: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `TimeMix`; `first_value` is of no use here."""
        xw, xk, xv, xr, xg = self._inputs(ops, x, layer)
        k, v, r = self._key(ops, xk), self._value(ops, xv), self._receptance(ops, xr)
        y = ops.wkv6(r, k, v, _faded(ops, self._decay, xw), self._first, layer)
        y = ops.layer_norm(y, *self._ln, GROUP_NORM_EPS, self._n_head)
        return self._output(ops, ops.silu_mul(self._gate(ops, xg), y)), v


class GatedTimeMix:
    """That of QRWKV6: gated linear attention.

    ``n_head_kv`` heads of keys and of values, each for a group of heads of the rest. Keys are multiplied by
    ``1 - w``; what is read (see `Ops.gated_linear_attention`) is divided by the root of D and multiplied by
    the sigmoid of the gate. There is no norm and no bonus. Key, value and receptance may have biases.

    Raises:
        InvalidFile: heads that cannot share those of keys evenly.
    """

    def __init__(
        self, weights: Weights, config: Config, heads: Heads, ranks: Ranks, n_head_kv: int, name: str
    ) -> None:
        n, n_head = config.n_embd, heads.n_head
        if n_head % n_head_kv:
            raise InvalidFile(f"{n_head} heads cannot share {n_head_kv} heads of keys evenly.")
        self._n_head_kv, self._n_shared = n_head_kv, n_head // n_head_kv
        self._inputs, self._decay = (
            MixedInputs(weights, n, ranks.mix, name),
            _decay(weights, n, ranks.decay, name),
        )
        n_kv = n_head_kv * heads.head_dim
        self._key, self._value = (weights.linear(f"{name}_{part}", n_kv, n) for part in ("key", "value"))
        self._receptance, self._gate, self._output = (
            weights.linear(f"{name}_{part}", n, n) for part in ("receptance", "gate", "output")
        )
        self._scale = heads.head_dim**-0.5

    def __call__(self, ops: Ops, x: Tensor, layer: int, first_value: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `TimeMix`; `first_value` is of no use here."""
        xw, xk, xv, xr, xg = self._inputs(ops, x, layer)
        k, v = self._shared(ops, self._key(ops, xk)), self._shared(ops, self._value(ops, xv))
        decay = _faded(ops, self._decay, xw)
        k = ops.add(k, ops.scale(ops.multiply(k, decay), -1.0))
        y = ops.gated_linear_attention(self._receptance(ops, xr), k, v, decay, layer)
        y = ops.multiply(ops.scale(y, self._scale), ops.sigmoid(self._gate(ops, xg)))
        return self._output(ops, y), v

    def _shared(self, ops: Ops, x: Tensor) -> Tensor:
        """Every head once for each head that shares it."""
        together = x
        for _ in range(1, self._n_shared):
            together = ops.join_heads(together, x, self._n_head_kv)
        return together


def _decay(weights: Weights, n: int, rank: int, name: str) -> tuple[Linear, Linear]:
    second = weights.linear(f"{name}_decay_w2", n, rank)
    bias = weights.vector(f"{name}_decay.weight", n)
    return weights.linear(f"{name}_decay_w1", rank, n), Linear(second.weight, bias)


def _faded(ops: Ops, decay: tuple[Linear, Linear], x: Tensor) -> Tensor:
    """What the rows of a state are multiplied by."""
    first, second = decay
    made = second(ops, ops.softcap(first(ops, x), 1.0))
    return ops.exp(ops.scale(ops.exp(made), -1.0))
