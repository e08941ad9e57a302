"""Pages that were given back are read again from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rushlight.gguf import GGMLType, GGUFTensor, open_gguf
from rushlight.gguf.writer import write_gguf


def test_bytes_are_the_same_after_release(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((n, 1024), np.float32) for name, n in (("a", 1), ("b", 37), ("c", 3))}
    path = tmp_path / "model.gguf"
    tensors = [(name, GGMLType.F32, v.shape, v.view(np.uint8)) for name, v in values.items()]
    write_gguf(path, {"general.architecture": "none"}, tensors)
    with open_gguf(path) as file:
        for name, expected in values.items():
            tensor = file.tensors[name]
            assert tensor.raw.view(np.float32).sum() != 0  # the pages are in memory
            tensor.release()
            np.testing.assert_array_equal(tensor.raw.view(np.float32), expected)


def test_a_tensor_outside_a_file_has_nothing_to_release() -> None:
    raw = np.arange(64, dtype=np.uint8).reshape(2, 32)
    GGUFTensor("t", (2, 8), GGMLType.F32, raw).release()
    assert raw.sum() == 64 * 63 // 2
