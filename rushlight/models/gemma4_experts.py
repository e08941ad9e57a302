"""The feed-forward networks of Gemma 4: a dense one, and experts beside it in the model that has some.

Source: Gemma Team 2026, Gemma 4; ``gemma4.cpp`` in llama.cpp's ``src/models``; ``modeling_gemma4.py`` in
transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Ops, Tensor
from rushlight.models.blocks import Part
from rushlight.models.config import Config
from rushlight.models.expert_config import ExpertConfig
from rushlight.models.layers import GeGLU, RmsNorm
from rushlight.models.weights import Weights


class NormedGeGLU(GeGLU):
    """`GeGLU` of the layer `name`, with its norm ``ffn_norm`` in front."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        super().__init__(weights, config, name)
        self._norm = RmsNorm(weights, f"{name}.ffn_norm", config.n_embd, config.norm_eps)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        return super().__call__(ops, self._norm(ops, x))


class ExpertsBeside(NormedGeGLU):
    """The sum of the dense network and of experts, each behind a norm of its own.

    Both read the residual, the experts through ``pre_ffw_norm_2``; ``post_ffw_norm_1`` and
    ``post_ffw_norm_2`` are behind them. The router reads the residual through an RMS norm without weights,
    times ``ffn_gate_inp.scale / sqrt(n_embd)``. In the end an expert's weight is multiplied by its own of
    ``ffn_down_exps.scale``.

    Args:
        weights: of the file.
        config: hyper-parameters.
        experts: those of the mixture.
        name: of the layer.
    """

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        super().__init__(weights, config, name)
        n_embd, eps, n_expert = config.n_embd, config.norm_eps, experts.n_expert
        self._routing, self._eps, self._n_embd = experts.routing, eps, n_embd
        self._router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd, scaled=False)
        self._router_scale = weights.vector(f"{name}.ffn_gate_inp.scale", n_embd)
        self._gate, self._up = weights.gate_up_experts(name, n_expert, experts.n_ff, n_embd)
        down = f"{name}.ffn_down_exps"
        self._expert_down = weights.experts(down, n_expert, n_embd, experts.n_ff, scaled=False)
        self._scales = weights.optional_vector(f"{down}.scale", n_expert)
        self._pre_norm = RmsNorm(weights, f"{name}.pre_ffw_norm_2", n_embd, eps)
        self._post_norms = [RmsNorm(weights, f"{name}.post_ffw_norm_{i}", n_embd, eps) for i in (1, 2)]

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The networks' output."""
        seen = ops.scale(ops.rms_norm(x, self._router_scale, self._eps), 1 / math.sqrt(self._n_embd))
        routes = ops.route(self._router(ops, seen), self._routing, scales=self._scales)
        normed = self._pre_norm(ops, x)
        gated = ops.gelu_mul(self._gate(ops, normed, routes), self._up(ops, normed, routes))
        chosen = ops.combine(self._expert_down(ops, gated, routes), routes)
        dense_norm, expert_norm = self._post_norms
        return ops.add(dense_norm(ops, super().__call__(ops, x)), expert_norm(ops, chosen))


def normed_ffn(weights: Weights, config: Config, experts: ExpertConfig | None, name: str) -> Part:
    """The feed-forward network of a layer and its norm; with experts where the file has a router for it."""
    if experts is None or not weights.has(f"{name}.ffn_gate_inp.weight"):
        return NormedGeGLU(weights, config, name)
    return ExpertsBeside(weights, config, experts, name)
