"""A file in a few numbers."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.file_types import FILE_TYPE_NAMES
from rushlight.gguf.summary import Summary, TypeTotal, summarize
from rushlight.gguf.writer import write_gguf


def test_summary_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    metadata = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 15,
        "llama.context_length": 2048,
        "tokenizer.ggml.tokens": ["a", "b", "c"],
    }
    tensors = [
        ("a", GGMLType.Q4_K, (4, 256), bytes(4 * 144)),
        ("b", GGMLType.Q4_K, (256,), bytes(144)),
        ("c", GGMLType.F32, (2,), np.zeros(2, np.float32)),
    ]
    write_gguf(path, metadata, tensors)
    with open_gguf(path) as file:
        summary = summarize(file)
    assert summary == Summary(
        architecture="llama",
        name="Tiny",
        file_type="Q4_K_M",
        context_length=2048,
        n_vocab=3,
        n_params=1282,
        n_bytes=path.stat().st_size,
        types={"Q4_K": TypeTotal(2, 1280, 720), "F32": TypeTotal(1, 2, 8)},
    )
    assert list(summary.types) == ["Q4_K", "F32"]


def test_odd_metadata_is_shown_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, {"general.architecture": 3, "general.file_type": 999, "tokenizer.ggml.tokens": [1, 2]})
    with open_gguf(path) as file:
        summary = summarize(file)
    assert summary.architecture is None and summary.name is None and summary.context_length is None
    assert summary.file_type == "number 999" and summary.n_vocab is None and summary.n_params == 0


def test_file_type_names_are_gguf_py_s() -> None:
    for number, name in FILE_TYPE_NAMES.items():
        assert gguf.LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_") == name
