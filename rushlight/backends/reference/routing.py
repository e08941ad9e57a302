"""Routing in NumPy: which experts a row chooses, and with what weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rushlight.backends.routing import SMALLEST_SUM, SPARSE_MIXER_WIDTH, Routing
from rushlight.backends.tensors import Float32Array


@dataclass(frozen=True)
class ChosenExperts:
    """The `Routes` of this backend.

    Attributes:
        ids: int64 [rows, U], the experts of each row, the best first.
        weights: float32 [rows, U].
    """

    ids: npt.NDArray[np.int64]
    weights: Float32Array

    @property
    def n_used(self) -> int:
        """Experts of each row."""
        return int(self.ids.shape[1])


def choose_experts(logits: Float32Array, routing: Routing, bias: Float32Array | None) -> ChosenExperts:
    """`Ops.route` of logits [rows, X]."""
    routing.check(logits.shape[1])
    probabilities = _probabilities(logits, routing.gating)
    scores = logits if bias is None and routing.n_group == 1 else probabilities
    if bias is not None:
        scores = scores + bias
    if routing.n_group > 1:
        scores = _best_groups_only(scores, routing)
    ids = np.argsort(-scores, axis=1, kind="stable")[:, : routing.n_used]
    undefined = ~np.isfinite(logits).all(axis=1)
    ids[undefined] = np.arange(routing.n_used)
    if routing.gating == "sparse_mixer":
        weights = _sparse_mixer(logits, ids)
    else:
        weights = np.take_along_axis(probabilities, ids, axis=1)
    if routing.gating == "softmax_selected":
        weights = _softmax(weights)
    if routing.normalize:
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.float32(SMALLEST_SUM))
    weights = weights * np.float32(routing.scale)
    weights[undefined] = np.nan
    return ChosenExperts(ids, weights)


def _probabilities(logits: Float32Array, gating: str) -> Float32Array:
    if gating == "softmax":
        return _softmax(logits)
    return np.float32(1) / (1 + np.exp(-logits)) if gating == "sigmoid" else logits


def _softmax(x: Float32Array) -> Float32Array:
    weights = np.exp(x - x.max(axis=1, keepdims=True))
    total: Float32Array = weights / weights.sum(axis=1, keepdims=True)
    return total


def _sparse_mixer(logits: Float32Array, ids: npt.NDArray[np.int64]) -> Float32Array:
    """The weights of the chosen, one choice after the other, which the later ones leave out."""
    left, weights = logits.copy(), np.empty(ids.shape, np.float32)
    width = np.float32(SPARSE_MIXER_WIDTH)
    for slot in range(ids.shape[1]):
        best = np.take_along_axis(left, ids[:, slot, None], axis=1)
        near = best - left <= width * np.maximum(np.abs(logits), best)
        weights[:, slot] = 1 / np.where(near, np.exp(left - best), np.float32(0)).sum(axis=1)
        np.put_along_axis(left, ids[:, slot, None], np.float32(-np.inf), axis=1)
    return weights


def _best_groups_only(scores: Float32Array, routing: Routing) -> Float32Array:
    """The scores, minus infinity outside the groups whose two best experts have the highest sums."""
    groups = scores.reshape(len(scores), routing.n_group, -1)
    best_two = np.sort(groups, axis=2)[:, :, -2:].sum(axis=2)
    chosen = np.argsort(-best_two, axis=1, kind="stable")[:, : routing.n_group_used]
    outside = np.ones(best_two.shape, bool)
    np.put_along_axis(outside, chosen, False, axis=1)
    return np.where(outside[:, :, None], np.float32(-np.inf), groups).reshape(scores.shape)
