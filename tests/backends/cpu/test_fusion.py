"""Fused ops against the same ops one by one: fewer of them, and the same bits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY
from helpers.dense_models import DENSE_MODELS
from helpers.random_models import metadata_of, tensors_of, write_model

from rushlight import LLM
from rushlight.backends.cpu import recorded
from rushlight.backends.cpu.fusion import fuse
from rushlight.backends.cpu.recording import Recording
from rushlight.errors import BackendUnavailable
from rushlight.gguf import GGMLType

PROMPT = [int(i) for i in np.random.default_rng(0).integers(3, 60, 50)]


def run(name: str, patch: pytest.MonkeyPatch, fused: bool, folder: Path = TINY) -> tuple[bytes, Counter[str]]:
    """The bits of all logits, and how often each kernel runs."""
    kernels: Counter[str] = Counter()

    def count(recording: Recording) -> None:
        if fused:
            fuse(recording)
        kernels.update(op.kernel for op in recording.ops)

    patch.setattr(recorded, "fuse", count)
    try:
        with LLM(folder / f"{name}.gguf", backend="cpu", n_threads=2) as llm:
            return llm.logits(PROMPT).tobytes(), kernels
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "name", ["llama-mix", "phi3-q4_k_m", "gemma3-q4_k_m", "phi2-q4", "qwen3-half", "qwen2-q5"]
)
def test_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apart, _ = run(name, monkeypatch, fused=False)
    together, _ = run(name, monkeypatch, fused=True)
    assert together == apart


def test_the_same_bits_without_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = (model for model in DENSE_MODELS if model.name == "nemotron")
    write_model(tmp_path / "nemotron.gguf", metadata_of(model), tensors_of(model), GGMLType.Q8_0)
    apart, kernels = run("nemotron", monkeypatch, fused=False, folder=tmp_path)
    together, fewer = run("nemotron", monkeypatch, fused=True, folder=tmp_path)
    assert together == apart
    assert fewer["relu_squared"] == 0
    assert fewer["relu_squared_quantize_32"] == kernels["relu_squared"] == model.n_layer


def test_what_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of phi3: two norms and the activation quantize their results, two products add the residual."""
    _, apart = run("phi3-q4_k_m", monkeypatch, fused=False)
    _, together = run("phi3-q4_k_m", monkeypatch, fused=True)
    n_layer = apart["silu_mul"]
    assert apart["add"] == 2 * n_layer
    assert apart["quantize_256"] == 4 * n_layer + 1
    assert (together["add"], together["rms_norm"], together["silu_mul"]) == (0, 0, 0)
    assert together["rms_norm_quantize_256"] == 2 * n_layer + 1
    assert together["silu_mul_quantize_256"] == n_layer
    assert together["quantize_256"] == n_layer  # the attention's result


def test_a_result_that_others_read_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float matrices read the activations as they are."""
    _, apart = run("llama-f32", monkeypatch, fused=False)
    _, together = run("llama-f32", monkeypatch, fused=True)
    assert together["rms_norm"] == apart["rms_norm"]
    assert together["silu_mul"] == apart["silu_mul"]
    assert together["add"] == 0
