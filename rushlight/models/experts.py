"""Feed-forward networks that are mixtures of experts, and the expert that every token uses beside them."""

from __future__ import annotations

from rushlight.backends.base import Ops, Tensor, Weight
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.expert_config import ExpertConfig
from rushlight.models.layers import SwiGLU
from rushlight.models.weights import Weights


class SwiGLUExperts:
    """Of the experts that a token chooses the weighted sum of ``down(silu(gate(x)) * up(x))``.

    ``ffn_gate_inp`` gives the router's logits, ``exp_probs_b.bias`` takes part in the choice where the file
    has it, and ``ffn_gate_exps``, ``ffn_up_exps`` (or both as ``ffn_gate_up_exps``) and ``ffn_down_exps`` are
    the experts. Any of them may have a bias.

    Args:
        weights: of the file.
        config: hyper-parameters.
        experts: those of the mixture.
        name: of the layer.
        selection_bias: name of the bias that takes part in the choice.
        n_inner: columns that go into an expert and come out of it; 0: those of the hidden state.
    """

    def __init__(
        self,
        weights: Weights,
        config: Config,
        experts: ExpertConfig,
        name: str,
        selection_bias: str = "exp_probs_b.bias",
        n_inner: int = 0,
    ) -> None:
        n_expert, n_ff, n_embd = experts.n_expert, experts.n_ff, config.n_embd
        n_inner = n_inner or n_embd
        self._routing = experts.routing
        self._router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd)
        self._selection_bias = weights.optional_vector(f"{name}.{selection_bias}", n_expert)
        self._gate, self._up = weights.gate_up_experts(name, n_expert, n_ff, n_inner)
        self._down = weights.experts(f"{name}.ffn_down_exps", n_expert, n_inner, n_ff)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        routes = ops.route(self._router(ops, x), self._routing, self._selection_bias)
        gated = self._gated(ops, self._gate(ops, x, routes), self._up(ops, x, routes))
        return ops.combine(self._down(ops, gated, routes), routes)

    def _gated(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        return ops.silu_mul(gate, up)


class ClampedSwiGLUExperts(SwiGLUExperts):
    """`SwiGLUExperts` with the clamped SwiGLU of gpt-oss."""

    def _gated(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        return ops.swiglu_oai(gate, up)


class SharedExpert(SwiGLU):
    """``ffn_gate_shexp``, ``ffn_up_shexp`` and ``ffn_down_shexp`` of the layer `name`."""

    def __init__(self, weights: Weights, n_embd: int, n_ff: int, name: str) -> None:
        names = f"{name}.ffn_gate_shexp", f"{name}.ffn_up_shexp"
        self._gate_up = weights.joined(names, (n_ff, n_ff), n_embd)
        self._down = weights.linear(f"{name}.ffn_down_shexp", n_embd, n_ff)


class ExpertsAndShared:
    """The sum of a mixture and of a shared expert.

    Args:
        experts: the mixture.
        shared: the expert that every token uses.
        gate: [1, n_embd], whose product with the input scales the shared expert by its sigmoid; None: 1.
    """

    def __init__(self, experts: SwiGLUExperts, shared: Part, gate: Weight | None = None) -> None:
        self._experts, self._shared, self._gate = experts, shared, gate

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        shared = self._shared(ops, x)
        if self._gate is not None:
            shared = ops.sigmoid_scale(shared, ops.linear(x, self._gate))
        return ops.add(self._experts(ops, x), shared)


def ffn_of(
    weights: Weights, config: Config, experts: ExpertConfig | None, layer: int
) -> SwiGLU | SwiGLUExperts | ExpertsAndShared:
    """The feed-forward network of a layer: a mixture, but dense in front of those and without `experts`."""
    name = f"blk.{layer}"
    if experts is None or layer < experts.n_layer_dense_lead:
        return SwiGLU(weights, config, name)
    chosen = SwiGLUExperts(weights, config, experts, name)
    if not experts.n_ff_shared:
        return chosen
    return ExpertsAndShared(chosen, SharedExpert(weights, config.n_embd, experts.n_ff_shared, name))
