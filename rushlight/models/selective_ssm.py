"""The state-space layer of Mamba-1, whose every column fades at rates of its own.

Source: Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces";
``mamba-base.cpp`` in llama.cpp's ``src/models``; ``modeling_mamba.py`` in transformers.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights

_MAX = 1 << 20


class SelectiveSizes(NamedTuple):
    """Taps of the convolution, columns, rows of the state and columns of the low-rank step."""

    n_taps: int
    n_inner: int
    n_state: int
    n_rank: int

    @property
    def cache(self) -> RecurrentCache:
        """What the layer keeps of a sequence."""
        return RecurrentCache((self.n_state, self.n_inner), (self.n_taps - 1, self.n_inner))


def read_selective_ssm(accounts: Accounting) -> SelectiveSizes:
    """Read the ``ssm.*`` keys.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """
    return SelectiveSizes(
        n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=1 << 10),
        n_inner=accounts.get_int("ssm.inner_size", min=1, max=_MAX),
        n_state=accounts.get_int("ssm.state_size", min=1, max=_MAX),
        n_rank=accounts.get_int("ssm.time_step_rank", min=1, max=_MAX),
    )


class Mamba:
    """The weights of a layer, up to its output projection.

    ``ssm_in`` gives x, then a gate. x goes through a short convolution and SiLU, and ``ssm_x`` makes of it
    the low-rank step, b and c. ``ssm_dt`` widens the step to one for each column; it goes through softplus.
    ``ssm_a`` times the step is the logarithm of the decay, for every column and row of the state (see
    `Ops.selective_scan`). ``ssm_d * x`` is added to what is read, and the sum is multiplied by SiLU of the
    gate.

    Args:
        weights: of the file.
        config: hyper-parameters.
        sizes: of the layer.
        name: of the layer.
        norms: step, b and c go through RMS norms: with weights (``ssm_dt_norm``, ``ssm_b_norm``,
            ``ssm_c_norm``), or without where the file has none; False: there are no norms.
    """

    def __init__(
        self, weights: Weights, config: Config, sizes: SelectiveSizes, name: str, norms: bool
    ) -> None:
        n_inner, n_state, n_rank = sizes.n_inner, sizes.n_state, sizes.n_rank
        self._sizes, self._eps, self._has_norms = sizes, config.norm_eps, norms
        self._in = weights.linear(f"{name}.ssm_in", 2 * n_inner, config.n_embd)
        self._conv = weights.columns(f"{name}.ssm_conv1d.weight", n_inner, sizes.n_taps)
        self._conv_bias = weights.vector(f"{name}.ssm_conv1d.bias", n_inner)
        self._x = weights.linear(f"{name}.ssm_x", n_rank + 2 * n_state, n_inner)
        self._dt = weights.linear(f"{name}.ssm_dt", n_inner, n_rank)
        self._a = weights.columns(f"{name}.ssm_a", n_inner, n_state)
        self._d = weights.vector(f"{name}.ssm_d", n_inner)
        of_norms = (("dt", n_rank), ("b", n_state), ("c", n_state))
        self._norms: list[Part] | None = None
        if norms and weights.has(f"{name}.ssm_dt_norm.weight"):
            self._norms = [RmsNorm(weights, f"{name}.ssm_{of}_norm", n, self._eps) for of, n in of_norms]

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated columns: [T, n_inner]."""
        n_inner, n_state, n_rank = self._sizes.n_inner, self._sizes.n_state, self._sizes.n_rank
        both = self._in(ops, x)
        inner = ops.silu(ops.short_conv(both.columns(0, n_inner), self._conv, layer, self._conv_bias))
        made = self._x(ops, inner)
        parts = [made.columns(0, n_rank)]
        parts += [made.columns(start, start + n_state) for start in (n_rank, n_rank + n_state)]
        if self._norms is not None:
            parts = [norm(ops, part) for norm, part in zip(self._norms, parts, strict=True)]
        elif self._has_norms:
            parts = [ops.rms_norm(part, None, self._eps) for part in parts]
        step, b, c = parts
        read = ops.selective_scan(inner, ops.softplus(self._dt(ops, step)), self._a, b, c, layer)
        read = ops.add(read, ops.multiply(inner, self._d))
        return ops.silu_mul(both.columns(n_inner, 2 * n_inner), read)
