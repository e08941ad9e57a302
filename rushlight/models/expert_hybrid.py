"""Gated hybrids whose feed-forward networks are a mixture of experts and a shared expert."""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert, SwiGLUExperts
from rushlight.models.gated_hybrid import GatedHybrid
from rushlight.models.weights import Weights


class ExpertHybrid(GatedHybrid):
    """A model of such layers.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        backend: takes the weights over.
        n_ctx: positions to load for; None: as many as the model was trained for.
        grouped: as `DeltaNetSizes` has it.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
    """

    def __init__(
        self, accounts: Accounting, arch: str, backend: Backend, n_ctx: int | None, grouped: bool
    ) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config = read_config(accounts, arch, experts=True, dense=False, n_layer_nextn=n_next)
        n_all, weights = config.n_layer + n_next, Weights(accounts, backend)
        experts = read_experts(accounts, n_all, config.n_ff)
        n_ff = read_expert_ff(accounts, n_all, config.n_ff // experts.routing.n_used)
        experts = experts._replace(n_ff=n_ff)
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0) or config.n_ff

        def ffn(name: str) -> ExpertsAndShared:
            return ExpertsAndShared(
                SwiGLUExperts(weights, config, experts, name),
                SharedExpert(weights, config.n_embd, n_ff_shared, name),
                weights.row(f"{name}.ffn_gate_inp_shexp.weight", config.n_embd),
            )

        super().__init__(accounts, config, weights, n_ctx, n_next, grouped, ffn)
