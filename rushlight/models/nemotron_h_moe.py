"""Nemotron 3: Nano 30B-A3B, Super 120B-A12B.

The layers of nemotron_h (see `rushlight.models.nemotron_h`), with mixtures of experts for feed-forward
networks:

- An expert is ``down(max(up(x), 0)^2)``. Sigmoid, a bias that takes part in the choice alone
  (``exp_probs_b``), weights divided by their sum (``expert_weights_norm``) and multiplied
  (``expert_weights_scale``).
- A shared expert of the same form, ``expert_shared_feed_forward_length`` wide, reads what they read.
- With ``moe_latent_size`` (Super) the chosen experts work on so many columns: ``ffn_latent_down`` in front
  of them, ``ffn_latent_up`` behind their sum. Router and shared expert read all columns.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Experts of several widths in one model (Puzzle) are not implemented.

Source: NVIDIA 2025, "Nemotron 3"; ``nemotron-h.cpp`` in llama.cpp's ``src/models``;
``modeling_nemotron_h.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts
from rushlight.models.single_hybrid import SingleHybrid, read_hybrid
from rushlight.models.weights import Weights


class Experts:
    """The mixture of a layer and its shared expert."""

    def __init__(
        self, weights: Weights, config: Config, experts: ExpertConfig, n_latent: int, name: str
    ) -> None:
        n_embd, n_expert, n_ff = config.n_embd, experts.n_expert, experts.n_ff
        n_inner, self._has_latent = n_latent or n_embd, n_latent > 0
        self._routing = experts.routing
        self._router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd)
        self._selection_bias = weights.vector(f"{name}.exp_probs_b.bias", n_expert)
        self._up = weights.experts(f"{name}.ffn_up_exps", n_expert, n_ff, n_inner)
        self._down = weights.experts(f"{name}.ffn_down_exps", n_expert, n_inner, n_ff)
        self._shared_up = weights.linear(f"{name}.ffn_up_shexp", experts.n_ff_shared, n_embd)
        self._shared_down = weights.linear(f"{name}.ffn_down_shexp", n_embd, experts.n_ff_shared)
        if n_latent:
            self._latent_down = weights.linear(f"{name}.ffn_latent_down", n_latent, n_embd)
            self._latent_up = weights.linear(f"{name}.ffn_latent_up", n_embd, n_latent)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The sum of both."""
        routes = ops.route(self._router(ops, x), self._routing, self._selection_bias)
        inner = self._latent_down(ops, x) if self._has_latent else x
        inner = self._down(ops, ops.relu_squared(self._up(ops, inner, routes)), routes)
        chosen = ops.combine(inner, routes)
        if self._has_latent:
            chosen = self._latent_up(ops, chosen)
        return ops.add(chosen, self._shared_down(ops, ops.relu_squared(self._shared_up(ops, x))))


class Model(SingleHybrid):
    """A model of the nemotron_h_moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config, kinds = read_hybrid(accounts, "nemotron_h_moe", experts=True, n_next=n_next)
        n_all = config.n_layer + n_next
        experts = read_experts(
            accounts,
            n_all,
            config.n_ff,
            gating="sigmoid",
            normalize=accounts.get_bool("expert_weights_norm", False),
            scale=accounts.get_float("expert_weights_scale", 0.0) or 1.0,  # 0 stands for none
        )
        n_ff = read_expert_ff(accounts, n_all, config.n_ff // experts.routing.n_used)
        n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", min=1, max=1 << 24)
        accounts.ignore("expert_shared_count", "expert_shared_feed_forward_length is that of all together")
        experts = experts._replace(n_ff=n_ff, n_ff_shared=n_ff_shared)
        n_latent = accounts.get_int("moe_latent_size", 0, min=0, max=1 << 24)
        weights = Weights(accounts, backend)
        super().__init__(
            accounts,
            config,
            weights,
            n_ctx,
            kinds,
            lambda name: Experts(weights, config, experts, n_latent, name),
        )
