"""The state-space layer of Mamba-2: a state that fades and to which every token adds.

Source: Dao and Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through
Structured State Space Duality"; ``mamba-base.cpp`` in llama.cpp's ``src/models``; ``modeling_mamba2.py`` in
transformers.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.linear import Linear
from rushlight.models.weights import Weights

_MAX = 1 << 20


class SsmSizes(NamedTuple):
    """Sizes of the layer.

    Attributes:
        n_taps: of the short convolution.
        n_inner: columns of all heads.
        n_state: rows of a head's state (N).
        n_head: heads (H).
        n_group: groups of heads, each of which shares what is added to the state and what is read of it.
    """

    n_taps: int
    n_inner: int
    n_state: int
    n_head: int
    n_group: int

    @property
    def head_dim(self) -> int:
        """Columns of a head."""
        return self.n_inner // self.n_head

    @property
    def n_conv(self) -> int:
        """Columns that go through the convolution: all heads, and b and c of every group."""
        return self.n_inner + 2 * self.n_group * self.n_state

    @property
    def cache(self) -> RecurrentCache:
        """What the layer keeps of a sequence."""
        return RecurrentCache((self.n_head, self.n_state, self.head_dim), (self.n_taps - 1, self.n_conv))


def read_ssm(accounts: Accounting) -> SsmSizes:
    """Read the ``ssm.*`` keys.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
    """
    sizes = SsmSizes(
        n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=1 << 10),
        n_inner=accounts.get_int("ssm.inner_size", min=1, max=_MAX),
        n_state=accounts.get_int("ssm.state_size", min=1, max=_MAX),
        n_head=accounts.get_int("ssm.time_step_rank", min=1, max=_MAX),
        n_group=accounts.get_int("ssm.group_count", min=1, max=_MAX),
    )
    if sizes.n_inner % sizes.n_head or sizes.n_head % sizes.n_group:
        raise InvalidFile(
            f"{sizes.n_inner} columns (ssm.inner_size), {sizes.n_head} heads (ssm.time_step_rank) and "
            f"{sizes.n_group} groups (ssm.group_count) do not divide evenly."
        )
    return sizes


class Mamba2:
    """The weights of a layer, up to its output projection ``ssm_out``.

    ``ssm_in`` gives a gate, then x, b and c, then a step for each head. x, b and c go through a short
    convolution and SiLU, the step through softplus. ``ssm_a`` times the step is the logarithm of a head's
    decay (see `Ops.ssm_scan`); ``ssm_d * x`` is added to what is read of the state. The sum is multiplied by
    SiLU of the gate and goes through an RMS norm of each group, ``ssm_norm``, if the file has it.

    Args:
        weights: of the file.
        config: hyper-parameters.
        sizes: of the layer.
        name: of the layer.
    """

    def __init__(self, weights: Weights, config: Config, sizes: SsmSizes, name: str) -> None:
        n_inner, n_head, n_group = sizes.n_inner, sizes.n_head, sizes.n_group
        self._sizes, self._eps = sizes, config.norm_eps
        runs = n_inner + sizes.n_conv, n_head
        self._gate_xbc, step = weights.split(f"{name}.ssm_in", runs, config.n_embd)
        self._dt = Linear(step.weight, weights.vector(f"{name}.ssm_dt.bias", n_head))
        self._conv = weights.columns(f"{name}.ssm_conv1d.weight", sizes.n_conv, sizes.n_taps)
        self._conv_bias = weights.optional_vector(f"{name}.ssm_conv1d.bias", sizes.n_conv)
        self._a = weights.flat(f"{name}.ssm_a", n_head, 1)
        self._d = weights.repeated(f"{name}.ssm_d", n_head, sizes.head_dim)
        self._norm = weights.optional_rows(f"{name}.ssm_norm.weight", n_group, n_inner // n_group)

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated heads: [T, n_inner]."""
        sizes, n_inner = self._sizes, self._sizes.n_inner
        both = self._gate_xbc(ops, x)
        xbc = ops.short_conv(both.columns(n_inner, both.n_columns), self._conv, layer, self._conv_bias)
        xbc = ops.silu(xbc)
        n_b = sizes.n_group * sizes.n_state
        b, c = (xbc.columns(n_inner + start, n_inner + start + n_b) for start in (0, n_b))
        inner, dt = xbc.columns(0, n_inner), ops.softplus(self._dt(ops, x))
        read = ops.ssm_scan(inner, dt, self._a, b, c, layer)
        read = ops.add(read, ops.multiply(inner, self._d))
        return self._normed(ops, ops.silu_mul(both.columns(0, n_inner), read))

    def _normed(self, ops: Ops, x: Tensor) -> Tensor:
        if self._norm is None:
            return x
        if self._sizes.n_group == 1:
            return ops.rms_norm(x, self._norm, self._eps)
        return ops.multiply(ops.rms_norm(x, None, self._eps, self._sizes.n_group), self._norm)
