"""The time mix of RWKV-7: linear attention with a generalized delta rule.

Source: Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution"; ``rwkv7-base.cpp`` in
llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.linear import Linear
from rushlight.models.rwkv import Heads, TokenShift, lerp
from rushlight.models.weights import Weights

GROUP_NORM_EPS = 64e-5
"""Of the norm of what is read, in every file."""

_SLOWEST_LOG_DECAY = -0.606531  # -exp(-0.5)
_LENGTH_EPS = 1e-24
_MAX = 1 << 24


class Ranks(NamedTuple):
    """Columns of the low-rank maps: of decays, rates of learning, how values mix, and the gate (0: none)."""

    decay: int
    iclr: int
    value: int
    gate: int


def read_ranks(accounts: Accounting, gated: bool) -> Ranks:
    """Read the ``attention.*_lora_rank`` keys; a model that must be `gated` must have that of the gate.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """
    if gated:
        gate = accounts.get_int("attention.gate_lora_rank", min=1, max=_MAX)
    else:
        gate = accounts.get_int("attention.gate_lora_rank", 0, min=0, max=_MAX)
    return Ranks(
        decay=accounts.get_int("attention.decay_lora_rank", min=1, max=_MAX),
        iclr=accounts.get_int("attention.iclr_lora_rank", min=1, max=_MAX),
        value=accounts.get_int("attention.value_residual_mix_lora_rank", min=1, max=_MAX),
        gate=gate,
    )


class Rwkv7TimeMix:
    """The weights of one layer's time mix.

    Each input is a mixture of the token's and that of the token before (a row of ``time_mix_lerp_fused``: r,
    w, k, v, a, g)::

        w = exp(-exp(-0.5) * sigmoid(w0 + w2 tanh(w1 x)))        the decay of each row of a state
        a = sigmoid(a0 + a2 a1 x)                                how fast the state learns
        g = g2 sigmoid(g1 x)
        v += (v of the first layer - v) * sigmoid(v0 + v2 v1 x)  in all layers but that
        kk = k * k_k, each head divided by its length
        k *= 1 + (a - 1) * k_a
        y = wkv7(r, k, v, w, -kk, kk * a)                        see `Ops.wkv7`
        y = layer norm of each head of y                         ``time_mix_ln``, where the file has it
        y += v * sum(r * k * r_k)                                of each head
        output(y * g)
    """

    def __init__(self, weights: Weights, config: Config, heads: Heads, ranks: Ranks, layer: int) -> None:
        n, name, n_head = config.n_embd, f"blk.{layer}.time_mix", heads.n_head
        self._n_head, self._shift = n_head, TokenShift(weights, n)
        self._lerps = weights.vectors(f"{name}_lerp_fused.weight", 6 if ranks.gate else 5, n)
        self._w = _low_rank(weights, name, "w", n, ranks.decay)
        self._a = _low_rank(weights, name, "a", n, ranks.iclr)
        self._v = _low_rank(weights, name, "v", n, ranks.value) if layer else None
        self._g: tuple[Linear, Linear] | None = None
        if ranks.gate:
            first = weights.linear(f"{name}_g1", ranks.gate, n)
            self._g = first, weights.linear(f"{name}_g2", n, ranks.gate)
        self._receptance, self._key, self._value, self._output = (
            weights.linear(f"{name}_{part}", n, n) for part in ("receptance", "key", "value", "output")
        )
        self._k_k, self._k_a = (weights.vector(f"{name}_{part}.weight", n) for part in ("k_k", "k_a"))
        self._r_k = weights.head_rows(f"{name}_r_k.weight", n_head, heads.head_dim)
        self._ln = None
        if weights.has(f"{name}_ln.weight"):
            self._ln = weights.vector(f"{name}_ln.weight", n), weights.vector(f"{name}_ln.bias", n)
        # x / sqrt(sum(x^2)) is an RMS norm with these weights.
        self._length = weights.constant(1 / math.sqrt(heads.head_dim), heads.head_dim)
        self._minus_one = weights.constant(-1.0, n)

    def __call__(self, ops: Ops, x: Tensor, layer: int, first_value: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `TimeMix`."""
        shift = self._shift(ops, x, layer)
        xr, xw, xk, xv, xa, *xg = (lerp(ops, x, shift, weight) for weight in self._lerps)
        r, k, v = self._receptance(ops, xr), self._key(ops, xk), self._value(ops, xv)
        w1, w2 = self._w
        w = ops.sigmoid(w2(ops, ops.softcap(w1(ops, xw), 1.0)))  # a cap of 1 is tanh
        w = ops.exp(ops.scale(w, _SLOWEST_LOG_DECAY))
        if self._v is not None and first_value is not None:
            v1, v2 = self._v
            away = ops.add(first_value, ops.scale(v, -1.0))
            v = lerp(ops, v, away, ops.sigmoid(v2(ops, v1(ops, xv))))
        a1, a2 = self._a
        a = ops.sigmoid(a2(ops, a1(ops, xa)))
        kk = ops.rms_norm(ops.multiply(k, self._k_k), self._length, _LENGTH_EPS, self._n_head)
        k = lerp(ops, k, ops.multiply(k, self._k_a), ops.add(a, self._minus_one))
        y = ops.wkv7(r, k, v, w, ops.scale(kk, -1.0), ops.multiply(kk, a), layer)
        if self._ln is not None:
            y = ops.layer_norm(y, *self._ln, GROUP_NORM_EPS, self._n_head)
        bonus = ops.head_linear(ops.multiply(k, r), self._r_k)
        y = ops.add(y, ops.scale_rows(v, bonus))
        if self._g is not None:
            g1, g2 = self._g
            y = ops.multiply(y, g2(ops, ops.sigmoid(g1(ops, xg[0]))))
        return self._output(ops, y), v


def _low_rank(weights: Weights, name: str, part: str, n: int, rank: int) -> tuple[Linear, Linear]:
    """``{name}_{part}1`` [rank, n] and ``{name}_{part}2`` [n, rank] with the bias ``{name}_{part}0``."""
    second = weights.linear(f"{name}_{part}2", n, rank)
    bias = weights.vector(f"{name}_{part}0.weight", n)
    return weights.linear(f"{name}_{part}1", rank, n), Linear(second.weight, bias)
