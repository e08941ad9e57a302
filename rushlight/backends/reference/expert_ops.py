"""Ops of experts in NumPy: see `rushlight.backends.row_ops.ExpertOps`."""

from __future__ import annotations

import numpy as np

from rushlight.backends.reference.routing import ChosenExperts, choose_experts
from rushlight.backends.reference.values import StepOps, Values, as_array, as_vector
from rushlight.backends.reference.weights import ExpertsWeight
from rushlight.backends.routing import Routes, Routing
from rushlight.backends.tensors import Tensor, Weight


class ReferenceExpertOps(StepOps):
    """Choosing among the matrices of a weight, and products with those chosen."""

    def route(
        self, logits: Tensor, routing: Routing, bias: Weight | None = None, scales: Weight | None = None
    ) -> ChosenExperts:
        """Choose experts for each row."""
        chosen = choose_experts(as_array(logits), routing, None if bias is None else as_vector(bias))
        if scales is None:
            return chosen
        return ChosenExperts(chosen.ids, chosen.weights * as_vector(scales)[chosen.ids])

    def route_weights(self, routes: Routes) -> Values:
        """The weights of each row's experts."""
        assert isinstance(routes, ChosenExperts)
        return Values(routes.weights)

    def experts(self, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None) -> Values:
        """The products of each row's experts, one expert after the other."""
        assert isinstance(weight, ExpertsWeight) and isinstance(routes, ChosenExperts)
        n_expert, n, k = weight.shape
        rows = as_array(x)
        inputs = rows.reshape(len(rows), -1, k)
        out = np.empty((len(rows), routes.n_used, n), np.float32)
        for e in np.unique(routes.ids).tolist():
            row, slot = np.nonzero(routes.ids == e)
            own = inputs[row, slot if inputs.shape[1] > 1 else 0]
            out[row, slot] = own @ weight.matrix(e).T
        if bias is not None:
            out += as_vector(bias).reshape(n_expert, n)[routes.ids]
        return Values(out.reshape(len(rows), -1))

    def combine(self, x: Tensor, routes: Routes) -> Values:
        """The weighted sum of each row's experts."""
        assert isinstance(routes, ChosenExperts)
        rows = as_array(x)
        products = rows.reshape(len(rows), routes.n_used, -1) * routes.weights[:, :, None]
        return Values(products.sum(axis=1))

    def head_linear(self, x: Tensor, weight: Weight) -> Values:
        """The product of each head with a matrix of its own."""
        assert isinstance(weight, ExpertsWeight)
        n_head, n, k = weight.shape
        heads = as_array(x).reshape(-1, n_head, k)
        out = np.empty((len(heads), n_head, n), np.float32)
        for h in range(n_head):
            out[:, h] = heads[:, h] @ weight.matrix(h).T
        return Values(out.reshape(len(heads), -1))
