"""What is loaded before a model is known, against what the model then asks for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rushlight import LLM
from rushlight.backends.cpu import objects
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.needs import likely_kernels
from rushlight.gguf import GGMLType

TINY = sorted((Path(__file__).parents[2] / "data" / "tiny").glob("*.gguf"))


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_all_kernels_of_a_model_are_asked_for_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that, where they are missing, they are compiled side by side; phi2 asks for rare ones later."""
    asked: list[set[str]] = []
    obtain = objects.obtain_objects

    def spy(names: Iterable[str], *rest: Any) -> dict[str, bytes]:
        asked.append(set(names))
        return obtain(names, *rest)

    monkeypatch.setattr(objects, "obtain_objects", spy)
    with LLM(str(path), backend="cpu", n_threads=1):
        pass
    assert len(asked) == (2 if path.stem.startswith("phi2") else 1)


def test_types_choose_their_kernels_and_no_others() -> None:
    found = likely_kernels([GGMLType.Q4_K, GGMLType.F32])
    assert {"pack_q4_k", "linear_q4_k", "pack_f32", "linear_f32", "attention_f16", "rms_norm"} <= found
    assert not {"pack_q5_k", "linear_f16", "attention_f32", "store_kv_f32", "peak_dot"} & found
    assert found <= set(KERNELS)


def test_quantized_activations_come_in_the_blocks_that_the_types_want() -> None:
    names = {f"{name}_{n}" for name in ("quantize", "rms_norm_quantize") for n in (32, 256)}
    for types, columns in (([GGMLType.Q8_0], 32), ([GGMLType.Q6_K, GGMLType.F16], 256)):
        wanted = {f"quantize_{columns}", f"rms_norm_quantize_{columns}"}
        assert names & likely_kernels(types) == wanted
    assert not names & likely_kernels([GGMLType.F16])


def test_kernels_of_experts_come_with_their_types() -> None:
    without = likely_kernels([GGMLType.F32, GGMLType.Q4_K])
    assert not any("expert" in name for name in without)
    found = likely_kernels([GGMLType.F32, GGMLType.Q4_K], [GGMLType.Q6_K])
    assert {"route", "sort_experts", "combine_experts", "experts_q6_k", "pack_q6_k"} <= found - without
    assert not {"experts_f32", "experts_q4_k", "linear_q6_k"} & found


def test_nothing_is_loaded_for_nothing() -> None:
    assert likely_kernels([]) == set()
