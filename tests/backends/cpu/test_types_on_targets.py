"""Every tensor type gives the same bits on every target that this processor runs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cpu import Floats, cpu_rows, randn, runs_here, type_name
from helpers.weights import FLOAT_TYPES, random_weights

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.target import TARGETS
from rushlight.gguf import GGMLType
from rushlight.gguf.types import BLOCK_SIZES

RUNNING = [target.name for target in TARGETS if runs_here(target)]


def product(type: GGMLType, n_tokens: int) -> Floats:
    """Tokens times 20 rows of more than 256 columns; of blocks shorter than that, not a multiple of it."""
    n_columns = 512 if type in FLOAT_TYPES else 256 + BLOCK_SIZES[type].values
    weight, backend = random_weights(type, 20, n_columns, seed=3), CpuBackend(1)

    def build(backend: object) -> object:
        matrix = backend.matrix(weight)  # type: ignore[attr-defined]
        return lambda ops, x: ops.linear(x, matrix)

    return cpu_rows(build, randn(n_tokens, n_columns, seed=4), backend=backend)  # type: ignore[arg-type]


# So few that no target writes weights down for them, and more than a piece of work, with rows left over.
@pytest.mark.parametrize("n_tokens", [9, 133])
@pytest.mark.skipif(len(RUNNING) < 2, reason="this processor runs one target")
@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_the_same_bits(type: GGMLType, n_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for target in RUNNING:
        monkeypatch.setenv("RUSHLIGHT_TARGET", target)
        found.append(product(type, n_tokens))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].view(np.uint32), other.view(np.uint32))
