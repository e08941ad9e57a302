"""What is loaded before a model is known, against what its recording asks for."""

from __future__ import annotations

from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.needs import likely_kernels
from rushlight.gguf import GGMLType


def test_types_choose_their_kernels_and_no_others() -> None:
    found = likely_kernels([GGMLType.Q4_K, GGMLType.F32])
    assert {"pack_q4_k", "linear_q4_k", "pack_f32", "linear_f32", "attention_f16", "rms_norm"} <= found
    assert not {"pack_q5_k", "linear_f16", "attention_f32", "store_kv_f32", "peak_dot"} & found
    assert found <= set(KERNELS)


def test_nothing_is_loaded_for_nothing() -> None:
    assert likely_kernels([]) == set()
