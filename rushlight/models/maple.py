"""Maple of deepgrove.

A qwen3moe block (see `rushlight.models.qwen3moe`): an RMS norm of each query head and each key head, experts
by softmax whose weights are divided by their sum. With these differences:

- ``attention.sliding_window_pattern`` tells which layers see only ``attention.sliding_window`` positions.
  Only these turn RoPE, by halves (NeoX) with the base ``rope.freq_base_swa``; the others know no positions.
- Inside an expert the gate never exceeds ``swiglu_clamp_exp``, nor does up on either side, before
  ``silu(gate) * up``.

Source: deepgrove 2026, Maple; ``maple.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, block_of
from rushlight.models.config import Config, read_config, read_window_freq_base
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class LimitedExperts(SwiGLUExperts):
    """`SwiGLUExperts` whose gate and up are kept within a limit; 0: there is none."""

    def __init__(
        self, weights: Weights, config: Config, experts: ExpertConfig, name: str, limit: float
    ) -> None:
        super().__init__(weights, config, experts, name)
        self._limit = limit

    def _gated(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        if not self._limit:
            return ops.silu_mul(gate, up)
        return ops.silu_mul(ops.minimum(gate, self._limit), ops.clamp(up, self._limit))


def read_limits(accounts: Accounting, key: str, n_layer: int) -> tuple[float, ...]:
    """The limit of each layer, 0 for none; a file without the key has none.

    Raises:
        InvalidFile: a limit is negative.
    """
    limits: tuple[float, ...] = accounts.get_float_or_array(key, n_layer, (0.0,) * n_layer)
    if min(limits) < 0:
        raise InvalidFile(f"Metadata {key} holds {min(limits)}; expected limits of at least 0.")
    return limits


class Model(Blocks):
    """A model of the maple architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        config = read_config(accounts, "maple", n_swa=n_swa, experts=True, dense=False)
        accounts.expect("expert_gating_func", 1, "experts are chosen by softmax in this architecture")
        n_layer, weights = config.n_layer, Weights(accounts, backend)
        experts = read_experts(accounts, n_layer, read_expert_ff(accounts, n_layer))
        limits = read_limits(accounts, "swiglu_clamp_exp", n_layer)
        self.is_local = accounts.get_bools("attention.sliding_window_pattern", n_layer)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=False, freq_base=local_base)
        qk_norms, names = (config.n_embd_head_k,) * 2, [f"blk.{i}" for i in range(n_layer)]
        self.blocks = [
            block_of(
                weights,
                config,
                name,
                LimitedExperts(weights, config, experts, name, limit),
                qk_norms=qk_norms,
            )
            for name, limit in zip(names, limits, strict=True)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a windowed layer."""
        return self.rope if self.is_local[layer] else None
