"""What architectures with experts know beside their files: changed, each of it moves the logits.

That the logits are llama.cpp's as it is says tests/models/test_models_random.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import Piece, open_executor, relative
from helpers.expert_models import EXPERT_MODELS
from helpers.latent_models import LATENT_MODELS
from helpers.random_models import Float32Array, write_random_model

from rushlight.backends.base import Tensor, Weight
from rushlight.backends.reference import ReferenceBackend
from rushlight.backends.reference.ops import ReferenceOps
from rushlight.backends.reference.routing import ChosenExperts
from rushlight.backends.reference.values import Values
from rushlight.backends.routing import Routing
from rushlight.gguf import open_gguf
from rushlight.models import load_model

MODELS = {model.name: model for model in (*EXPERT_MODELS, *LATENT_MODELS) if "expert_count" in model.metadata}
IDS = np.random.RandomState(1).randint(0, 320, 80).tolist()
FELT = 3e-4
CLEAR = 1e-4
"""What router logits may move by with no other choice: float32 rounds a hundred times finer."""


def logits(path: Path) -> Float32Array:
    backend = ReferenceBackend()
    with open_gguf(path) as file:
        model = load_model(file, backend, 256)
        executor, paging = open_executor(backend, model, 256)
        return executor.step(paging.batch([Piece(IDS)])).copy()


@pytest.fixture(scope="module", params=MODELS)
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A model's name, its file, and its logits."""
    path = tmp_path_factory.mktemp("experts") / "model.gguf"
    write_random_model(MODELS[request.param], path)
    yield request.param, path, logits(path)
    path.unlink()


def change_routing(patch: pytest.MonkeyPatch, change: Callable[[Routing], Routing]) -> None:
    route = ReferenceOps.route

    def changed(
        ops: ReferenceOps, logits: Tensor, routing: Routing, bias: Weight | None = None
    ) -> ChosenExperts:
        return route(ops, logits, change(routing), bias)

    patch.setattr(ReferenceOps, "route", changed)


def other_gating(routing: Routing) -> Routing:
    gating = "softmax" if routing.gating == "sigmoid" else "sigmoid"
    return replace(routing, gating=gating)


@pytest.mark.parametrize(
    "change",
    [
        lambda routing: replace(routing, normalize=not routing.normalize),
        other_gating,
        lambda routing: replace(routing, scale=1.2 * routing.scale),
    ],
    ids=["the sum", "the gating", "the scale"],
)
def test_how_experts_are_weighted_matters(
    plain: tuple[str, Path, Float32Array],
    change: Callable[[Routing], Routing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, path, expected = plain
    change_routing(monkeypatch, change)
    is_the_sum = not change(Routing(1)).normalize
    if name == "phimoe" and is_the_sum:
        with pytest.raises(ValueError, match="sparse_mixer"):
            logits(path)
        return
    moved = relative(logits(path), expected)
    if name == "gpt-oss" and is_the_sum:
        assert moved < 1e-5  # softmax over the chosen sums to 1 already
    else:
        assert moved > FELT


def test_routers_choose_clearly(
    plain: tuple[str, Path, Float32Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rounding may choose another expert, or logits of two engines could not be compared."""
    _, path, _ = plain
    route, clear = ReferenceOps.route, []

    def watched(
        ops: ReferenceOps, logits: Tensor, routing: Routing, bias: Weight | None = None
    ) -> ChosenExperts:
        found = route(ops, logits, routing, bias)
        assert isinstance(logits, Values)
        nudged = logits.array + np.float32(CLEAR) * np.random.RandomState(0).choice(
            [-1, 1], logits.array.shape
        )
        others = route(ops, Values(nudged.astype(np.float32)), routing, bias)
        clear.append(np.array_equal(np.sort(found.ids), np.sort(others.ids)))
        return found

    monkeypatch.setattr(ReferenceOps, "route", watched)
    logits(path)
    assert clear and all(clear)


def test_the_clamps_of_gpt_oss_are_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    write_random_model(MODELS["gpt-oss"], path)
    expected = logits(path)
    swiglu = ReferenceOps.swiglu_oai

    def unclamped_gate(ops: ReferenceOps, gate: Tensor, up: Tensor) -> Values:
        assert isinstance(gate, Values) and isinstance(up, Values)
        factor = np.maximum(gate.array / 7, 1)
        return Values(swiglu(ops, gate, up).array * factor)

    def unclamped_up(ops: ReferenceOps, gate: Tensor, up: Tensor) -> Values:
        assert isinstance(gate, Values) and isinstance(up, Values)
        clamped = np.clip(up.array, -7, 7)
        return Values(swiglu(ops, gate, up).array * (up.array + 1) / (clamped + 1))

    for function in (unclamped_gate, unclamped_up):
        monkeypatch.setattr(ReferenceOps, "swiglu_oai", function)
        assert relative(logits(path), expected) > FELT
