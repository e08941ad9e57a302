"""Every tensor type gives the same bits on every target that this processor runs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cpu import Floats, cpu_rows, randn, runs_here, type_name
from helpers.weights import random_weights

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.target import TARGETS
from rushlight.gguf import GGMLType

RUNNING = [target.name for target in TARGETS if runs_here(target)]


def product(type: GGMLType) -> Floats:
    """9 tokens, a whole tile and one more, times 20 rows."""
    weight, backend = random_weights(type, 20, 256, seed=3), CpuBackend(1)

    def build(backend: object) -> object:
        matrix = backend.matrix(weight)  # type: ignore[attr-defined]
        return lambda ops, x: ops.linear(x, matrix)

    return cpu_rows(build, randn(9, 256, seed=4), backend=backend)  # type: ignore[arg-type]


@pytest.mark.skipif(len(RUNNING) < 2, reason="this processor runs one target")
@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_the_same_bits(type: GGMLType, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for target in RUNNING:
        monkeypatch.setenv("RUSHLIGHT_TARGET", target)
        found.append(product(type))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].view(np.uint32), other.view(np.uint32))
