"""Kimi delta attention: a gated delta net whose state fades row by row.

Source: Kimi Team 2025, "Kimi Linear: An Expressive, Efficient Attention Architecture"; ``kimi-linear.cpp``
in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Linear
from rushlight.models.weights import Weights


class KdaSizes(NamedTuple):
    """Taps of the short convolution, heads (H) and columns of a head (D)."""

    n_taps: int
    n_head: int
    head_dim: int

    @property
    def n_inner(self) -> int:
        """Columns of all heads."""
        return self.n_head * self.head_dim

    @property
    def cache(self) -> RecurrentCache:
        """What the layer keeps of a sequence."""
        return RecurrentCache(
            (self.n_head, self.head_dim, self.head_dim), (self.n_taps - 1, 3 * self.n_inner)
        )


def read_kda(accounts: Accounting, config: Config) -> KdaSizes:
    """Read ``ssm.conv_kernel`` and ``kda.head_dim``.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """
    return KdaSizes(
        n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=1 << 10),
        n_head=config.n_head,
        head_dim=accounts.get_int("kda.head_dim", min=1, max=1 << 16),
    )


class Bound(NamedTuple):
    """How logarithms of decays are bounded.

    Attributes:
        least: the least of them, ``kda.gate_lower_bound``.
        sign: of what ``ssm_a`` multiplies.
    """

    least: float
    sign: float


class KimiDeltaAttention:
    """The weights of a layer, up to its output projection.

    Queries, keys and values each go through a short convolution (``ssm_conv1d_q``, ``ssm_conv1d_k``,
    ``ssm_conv1d_v``) and SiLU; queries and keys are divided by their lengths, queries by the root of D on
    top. ``ssm_a * softplus(f(x) + ssm_dt)`` is the logarithm of the decay of each row of a head's state, or
    ``least * sigmoid(sign * ssm_a * (f(x) + ssm_dt))`` where there is a bound; ``sigmoid(ssm_beta(x))`` is
    how far the state is corrected. The result is normed head by head (``ssm_norm``) and multiplied by
    ``sigmoid(g(x))``. f is ``ssm_f_b(ssm_f_a(x))``, or ``ssm_f_a`` alone, and so is g, which may be called
    ``ssm_g``.
    """

    def __init__(
        self, weights: Weights, config: Config, sizes: KdaSizes, name: str, bound: Bound | None = None
    ) -> None:
        n_embd, eps, n_head, head_dim = config.n_embd, config.norm_eps, sizes.n_head, sizes.head_dim
        n_inner = sizes.n_inner
        self._sizes = sizes
        own = config._replace(n_head_kv=n_head, n_embd_head_k=head_dim, n_embd_head_v=head_dim)
        self._qkv, *others = weights.qkv(name, own).linears
        if others:
            raise UnsupportedModel(f"{name}.attn_q has a bias, which this architecture never has.")
        convs = (f"{name}.ssm_conv1d_q", f"{name}.ssm_conv1d_k", f"{name}.ssm_conv1d_v")
        self._conv = weights.joined_columns(tuple(f"{conv}.weight" for conv in convs), n_inner, sizes.n_taps)
        *first, step = _projections(weights, f"{name}.ssm_f", n_inner, head_dim, n_embd)
        self._f = [*first, Linear(step.weight, weights.vector(f"{name}.ssm_dt.bias", n_inner))]
        self._bound = bound
        self._a = weights.repeated(f"{name}.ssm_a", n_head, head_dim)
        self._beta = weights.linear(f"{name}.ssm_beta", n_head, n_embd)
        self._g = _projections(weights, f"{name}.ssm_g", n_inner, head_dim, n_embd)
        self._norm = RmsNorm(weights, f"{name}.ssm_norm", head_dim, eps)
        # x / sqrt(sum(x^2) + eps) is an RMS norm with these weights and this epsilon.
        self._q_scale = weights.constant(1 / head_dim, head_dim)
        self._k_scale = weights.constant(1 / math.sqrt(head_dim), head_dim)
        self._length_eps = eps / head_dim

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated heads: [T, H * D]."""
        n_head, n = self._sizes.n_head, self._sizes.n_inner
        together = ops.silu(ops.short_conv(self._qkv(ops, x), self._conv, layer))
        q, k, v = (together.columns(i * n, (i + 1) * n) for i in range(3))
        q = ops.rms_norm(q, self._q_scale, self._length_eps, n_head)
        k = ops.rms_norm(k, self._k_scale, self._length_eps, n_head)
        decay, beta = ops.exp(self._log_decay(ops, x)), ops.sigmoid(self._beta(ops, x))
        read = self._norm(ops, ops.kda(q, k, v, decay, beta, layer))
        return ops.multiply(read, ops.sigmoid(_through(ops, self._g, x)))

    def _log_decay(self, ops: Ops, x: Tensor) -> Tensor:
        steps = _through(ops, self._f, x)
        if self._bound is None:
            return ops.multiply(ops.softplus(steps), self._a)
        steps = ops.scale(ops.multiply(steps, self._a), self._bound.sign)
        return ops.scale(ops.sigmoid(steps), self._bound.least)


def _projections(weights: Weights, name: str, n: int, n_inner: int, k: int) -> list[Linear]:
    """One matrix [n, k], or a pair by way of `n_inner` columns."""
    if weights.has(f"{name}_b.weight"):
        return [weights.linear(f"{name}_a", n_inner, k), weights.linear(f"{name}_b", n, n_inner)]
    return [weights.linear(f"{name}_a" if weights.has(f"{name}_a.weight") else name, n, k)]


def _through(ops: Ops, linears: list[Linear], x: Tensor) -> Tensor:
    for linear in linears:
        x = linear(ops, x)
    return x
