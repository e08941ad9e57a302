"""The gated delta-net layer of Qwen3-Next and Qwen3.5: a state that fades and that every token corrects.

Source: Yang et al. 2024, "Gated Delta Networks: Improving Mamba2 with Delta Rule"; ``qwen35.cpp`` in
llama.cpp's ``src/models``; ``modeling_qwen3_5.py`` in transformers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Joined, Linear
from rushlight.models.weights import Weights

_MAX = 1 << 16


class DeltaNetSizes(NamedTuple):
    """Sizes of the layer.

    Attributes:
        n_taps: of the short convolution.
        head_dim: columns of a head.
        n_head_k: heads of queries and of keys.
        n_head_v: heads of values, a multiple of those.
        grouped: the value heads that share a key head are neighbours, and ``ssm_ba`` holds the rows of their
            betas, then of their alphas, key head after key head; otherwise every n_head_k-th head shares one.
    """

    n_taps: int
    head_dim: int
    n_head_k: int
    n_head_v: int
    grouped: bool

    @property
    def n_key(self) -> int:
        """Columns of all queries, and of all keys."""
        return self.n_head_k * self.head_dim

    @property
    def n_value(self) -> int:
        """Columns of all values."""
        return self.n_head_v * self.head_dim

    @property
    def cache(self) -> RecurrentCache:
        """What the layer keeps of a sequence."""
        state = self.n_head_v, self.head_dim, self.head_dim
        return RecurrentCache(state, (self.n_taps - 1, 2 * self.n_key + self.n_value))


def read_delta_net(accounts: Accounting, grouped: bool) -> DeltaNetSizes:
    """Read the ``ssm.*`` keys; `grouped` is as `DeltaNetSizes` has it.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
    """
    sizes = DeltaNetSizes(
        n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=_MAX),
        head_dim=accounts.get_int("ssm.state_size", min=1, max=_MAX),
        n_head_k=accounts.get_int("ssm.group_count", min=1, max=_MAX),
        n_head_v=accounts.get_int("ssm.time_step_rank", min=1, max=_MAX),
        grouped=grouped,
    )
    n_inner = accounts.get_int("ssm.inner_size", min=1)
    if n_inner != sizes.n_value:
        raise InvalidFile(
            f"ssm.inner_size is {n_inner}; expected ssm.state_size * ssm.time_step_rank, {sizes.n_value}."
        )
    if sizes.n_head_v % sizes.n_head_k:
        raise InvalidFile(
            f"{sizes.n_head_v} value heads (ssm.time_step_rank) cannot share {sizes.n_head_k} key heads "
            "(ssm.group_count) evenly."
        )
    return sizes


def _qkv_gate(weights: Weights, config: Config, sizes: DeltaNetSizes, name: str) -> Joined:
    """Queries, keys and values together, and gates: as two matrices, or in old files all by key head."""
    n_value, n_conv = sizes.n_value, 2 * sizes.n_key + sizes.n_value
    if not (sizes.grouped and weights.has(f"{name}.ssm_in.weight")):
        names = f"{name}.attn_qkv", f"{name}.attn_gate"
        return weights.joined(names, (n_conv, n_value), config.n_embd)
    shared = n_value // sizes.n_head_k
    runs = sizes.head_dim, sizes.head_dim, shared, shared
    made = weights.regrouped(f"{name}.ssm_in", sizes.n_head_k, runs, config.n_embd)
    return Joined((made,), (n_conv, n_value))


class DeltaNet:
    """The weights of a layer, up to its output projection.

    ``attn_qkv`` (of old grouped files ``ssm_in``), through a short convolution and SiLU, gives queries, keys
    and values. Queries and keys are divided by their lengths, queries by the root of D on top. ``ssm_a *
    softplus(ssm_alpha(x) + ssm_dt)`` is the logarithm of a head's decay, ``sigmoid(ssm_beta(x))`` how far its
    state is corrected. The result is normed head by head (``ssm_norm``) and multiplied by
    ``silu(attn_gate(x))``.
    """

    def __init__(self, weights: Weights, config: Config, sizes: DeltaNetSizes, name: str) -> None:
        n_embd, eps, head_dim = config.n_embd, config.norm_eps, sizes.head_dim
        n_key, n_value, n_head = sizes.n_key, sizes.n_value, sizes.n_head_v
        n_conv = 2 * n_key + n_value
        self._sizes = sizes
        self._qkv_gate = _qkv_gate(weights, config, sizes, name)
        self._conv = weights.columns(f"{name}.ssm_conv1d.weight", n_conv, sizes.n_taps)
        if sizes.grouped:
            n_shared = n_head // sizes.n_head_k
            self._beta, alpha = weights.halves(f"{name}.ssm_ba", sizes.n_head_k, n_shared, n_embd)
        else:
            self._beta = weights.linear(f"{name}.ssm_beta", n_head, n_embd)
            alpha = weights.linear(f"{name}.ssm_alpha", n_head, n_embd)
        self._dt = Linear(alpha.weight, weights.vector(f"{name}.ssm_dt.bias", n_head))
        self._a = weights.vector(f"{name}.ssm_a", n_head)
        self._norm = RmsNorm(weights, f"{name}.ssm_norm", head_dim, eps)
        # x / sqrt(sum(x^2) + eps) is an RMS norm with these weights and this epsilon.
        self._q_scale = weights.constant(1 / head_dim, head_dim)
        self._k_scale = weights.constant(1 / math.sqrt(head_dim), head_dim)
        self._length_eps = eps / head_dim

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated heads: [T, H * D]."""
        sizes, n_key = self._sizes, self._sizes.n_key
        qkv, gate = self._qkv_gate(ops, x)
        qkv = ops.silu(ops.short_conv(qkv, self._conv, layer))
        q, k = qkv.columns(0, n_key), qkv.columns(n_key, 2 * n_key)
        v = qkv.columns(2 * n_key, 2 * n_key + sizes.n_value)
        q = ops.rms_norm(q, self._q_scale, self._length_eps, sizes.n_head_k)
        k = ops.rms_norm(k, self._k_scale, self._length_eps, sizes.n_head_k)
        dt, beta = ops.softplus(self._dt(ops, x)), ops.sigmoid(self._beta(ops, x))
        read = ops.gated_delta_net(q, k, v, dt, self._a, beta, layer, sizes.grouped)
        return ops.silu_mul(gate, self._norm(ops, read))
