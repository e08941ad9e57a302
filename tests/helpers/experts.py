"""Mixtures of experts for tests: routing written out in plain Python, and random matrices of experts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from helpers.cpu import Floats
from helpers.weights import random_weights

from rushlight.backends.routing import Routing
from rushlight.gguf import GGMLType, GGUFTensor


def random_experts(type: GGMLType, n_expert: int, n: int, k: int, seed: int = 0) -> GGUFTensor:
    """Matrices [n_expert, n, k], every bit at random (see `random_weights`)."""
    raw = random_weights(type, n_expert * n, k, seed).raw
    return GGUFTensor("random_exps.weight", (n_expert, n, k), type, raw.reshape(n_expert, n, -1))


def logits_for(ids: Sequence[Sequence[int]], n_expert: int, seed: int = 0) -> Floats:
    """Router logits [T, n_expert] for which each row chooses its ids, in their order."""
    logits = np.random.default_rng(seed).uniform(-2, -1, (len(ids), n_expert)).astype(np.float32)
    for row, chosen in zip(logits, ids, strict=True):
        row[list(chosen)] = np.linspace(1, 0, len(chosen))
    return logits


def route_one(
    logits: Sequence[float], routing: Routing, bias: Sequence[float] | None
) -> list[tuple[int, float]]:
    """The experts of one row and their weights, in double precision."""
    experts = range(len(logits))
    if routing.gating == "softmax":
        exps = [math.exp(x - max(logits)) for x in logits]
        probabilities = [x / sum(exps) for x in exps]
    elif routing.gating == "sigmoid":
        probabilities = [1 / (1 + math.exp(-x)) for x in logits]
    else:
        probabilities = list(logits)
    scores = [p + (bias[e] if bias else 0) for e, p in enumerate(probabilities)]
    if routing.n_group > 1:
        size = len(logits) // routing.n_group
        groups = [list(range(g * size, (g + 1) * size)) for g in range(routing.n_group)]
        best_two = [sum(sorted(scores[e] for e in group)[-2:]) for group in groups]
        order = sorted(range(routing.n_group), key=lambda g: (-best_two[g], g))
        experts = sorted(e for g in order[: routing.n_group_used] for e in groups[g])
    chosen = sorted(experts, key=lambda e: (-scores[e], e))[: routing.n_used]
    weights = [probabilities[e] for e in chosen]
    if routing.gating == "sparse_mixer":
        weights, left = [], list(experts)
        for best in chosen:
            sizes = {e: max(abs(logits[e]), logits[best]) for e in left}
            near = [e for e in left if logits[best] - logits[e] <= 0.02 * sizes[e]]
            weights.append(1 / sum(math.exp(logits[e] - logits[best]) for e in near))
            left.remove(best)
    if routing.gating == "softmax_selected":
        exps = [math.exp(w - max(weights)) for w in weights]
        weights = [x / sum(exps) for x in exps]
    if routing.normalize:
        weights = [w / max(sum(weights), 2.0**-14) for w in weights]
    return [(e, w * routing.scale) for e, w in zip(chosen, weights, strict=True)]
