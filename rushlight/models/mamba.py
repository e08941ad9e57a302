"""Mamba and Falcon-Mamba.

No attention and no feed-forward networks: each layer is an RMS norm and a state-space layer.

- ``ssm_in`` gives x, then a gate. x goes through a short convolution and SiLU, and ``ssm_x`` makes of it the
  low-rank step, b and c. ``ssm_dt`` widens the step to one for each column; it goes through softplus.
- ``ssm_a`` times the step is the logarithm of the decay, for every column and row of the state (see
  `Ops.selective_scan`). ``ssm_d * x`` is added to what is read, and the sum is multiplied by SiLU of the
  gate.
- Falcon-Mamba, where ``ssm.dt_b_c_rms`` is true, norms the low-rank step, b and c, without weights.

Source: Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces"; Zuo et al. 2024,
"Falcon Mamba"; ``mamba-base.cpp`` in llama.cpp's ``src/models``; ``modeling_mamba.py`` and
``modeling_falcon_mamba.py`` in transformers.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.gguf.accounting import Accounting
from rushlight.models.attention_free import AttentionFree, Block, read_attention_free
from rushlight.models.config import Config
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights

_MAX = 1 << 20


class Sizes(NamedTuple):
    """Taps of the convolution, columns, rows of the state, columns of the low-rank step, and norms."""

    n_taps: int
    n_inner: int
    n_state: int
    n_rank: int
    norms: bool


class Mamba:
    """The weights of a layer, up to its output projection."""

    def __init__(self, weights: Weights, config: Config, sizes: Sizes, name: str) -> None:
        n_inner, n_state = sizes.n_inner, sizes.n_state
        self._sizes, self._eps = sizes, config.norm_eps
        self._in = weights.linear(f"{name}.ssm_in", 2 * n_inner, config.n_embd)
        self._conv = weights.flat(f"{name}.ssm_conv1d.weight", n_inner, sizes.n_taps)
        self._conv_bias = weights.vector(f"{name}.ssm_conv1d.bias", n_inner)
        self._x = weights.linear(f"{name}.ssm_x", sizes.n_rank + 2 * n_state, n_inner)
        self._dt = weights.linear(f"{name}.ssm_dt", n_inner, sizes.n_rank)
        self._a = weights.flat(f"{name}.ssm_a", n_inner, n_state)
        self._d = weights.vector(f"{name}.ssm_d", n_inner)

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated columns: [T, n_inner]."""
        n_inner, n_state, n_rank = self._sizes.n_inner, self._sizes.n_state, self._sizes.n_rank
        both = self._in(ops, x)
        inner = ops.silu(ops.short_conv(both.columns(0, n_inner), self._conv, layer, self._conv_bias))
        made = self._x(ops, inner)
        parts = [made.columns(0, n_rank)]
        parts += [made.columns(start, start + n_state) for start in (n_rank, n_rank + n_state)]
        if self._sizes.norms:
            parts = [ops.rms_norm(part, None, self._eps) for part in parts]
        step, b, c = parts
        read = ops.selective_scan(inner, ops.softplus(self._dt(ops, step)), self._a, b, c, layer)
        read = ops.add(read, ops.multiply(inner, self._d))
        return ops.silu_mul(both.columns(n_inner, 2 * n_inner), read)


class Model(AttentionFree):
    """A model of the mamba architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_attention_free(accounts, "mamba"), Weights(accounts, backend)
        sizes = Sizes(
            n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=1 << 10),
            n_inner=accounts.get_int("ssm.inner_size", min=1, max=_MAX),
            n_state=accounts.get_int("ssm.state_size", min=1, max=_MAX),
            n_rank=accounts.get_int("ssm.time_step_rank", min=1, max=_MAX),
            norms=accounts.get_bool("ssm.dt_b_c_rms", False),
        )
        cache = RecurrentCache((sizes.n_state, sizes.n_inner), (sizes.n_taps - 1, sizes.n_inner))
        super().__init__(config, weights, n_ctx, cache)

        def block(name: str) -> Block:
            return Block(
                RmsNorm(weights, f"{name}.attn_norm", config.n_embd, config.norm_eps),
                Mamba(weights, config, sizes, name),
                weights.linear(f"{name}.ssm_out", config.n_embd, sizes.n_inner),
            )

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
