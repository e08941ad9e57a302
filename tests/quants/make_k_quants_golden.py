"""Write k_quants.npz: values, and the blocks that ggml's reference quantizers make of them; and, of the types
that gguf-py does not convert, random blocks and the values that ggml's own functions make of them.

Run with a Python that has NumPy, and the path of ggml's base library (built with llama.cpp, or found inside
an installed llama-cpp-python: ``lib/libggml-base.so``)::

    python tests/quants/make_k_quants_golden.py /path/to/libggml-base.so

The library's version and commit go into the golden. The functions called are ``quantize_row_q4_K_ref`` and
its siblings, and ``dequantize_row_q8_K`` and its siblings.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np

ROW_BYTES = {"q4_K": 144, "q5_K": 176, "q6_K": 210, "q8_K": 292, "q1_0": 36, "q2_0": 72}  # of 256 values
NOT_IN_GGUF_PY = ("q8_K", "q1_0", "q2_0")
N_BLOCKS = 6  # of each kind of values


def kinds(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Values [N_BLOCKS, 256] as weights are (normal), and as they seldom are."""
    shape = (N_BLOCKS, 256)
    values = {
        "normal": rng.standard_normal(shape),
        "uniform": rng.uniform(0, 1, shape),
        "heavy": rng.standard_t(2, shape),
        "negative": -rng.uniform(1, 2, shape),
        "small": 1e-3 * rng.standard_normal(shape),
        "sparse": np.where(rng.random(shape) < 0.05, rng.standard_normal(shape), 0),
        "uneven": rng.standard_normal(shape)
        * np.repeat(10.0 ** rng.uniform(-3, 1, (N_BLOCKS, 8)), 32, axis=1),
    }
    return {name: array.astype(np.float32) for name, array in values.items()}


def _call(ggml: ctypes.CDLL, name: str, source: np.ndarray, target: np.ndarray, n: int) -> None:
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (source, target)]
    getattr(ggml, name)(*pointers, ctypes.c_int64(n))


def main(library: str) -> None:
    """Quantize every kind with every type."""
    ggml = ctypes.CDLL(library)
    ggml.ggml_commit.restype = ggml.ggml_version.restype = ctypes.c_char_p
    golden: dict[str, np.ndarray] = {
        "ggml": np.array(f"{ggml.ggml_version().decode()} {ggml.ggml_commit().decode()}")
    }
    for name, values in kinds(np.random.default_rng(7)).items():
        golden[name] = values
        for type, n_bytes in ROW_BYTES.items():
            blocks = np.zeros((N_BLOCKS, n_bytes), np.uint8)
            _call(ggml, f"quantize_row_{type}_ref", values, blocks, values.size)
            golden[f"{name}.{type.upper()}"] = blocks
    rng = np.random.default_rng(8)
    for type in NOT_IN_GGUF_PY:
        blocks = rng.integers(0, 256, (2 * N_BLOCKS, ROW_BYTES[type]), np.uint8)
        values = np.empty((len(blocks), 256), np.float32)
        _call(ggml, f"dequantize_row_{type}", blocks, values, values.size)
        golden[f"blocks.{type.upper()}"], golden[f"values.{type.upper()}"] = blocks, values
    np.savez_compressed(Path(__file__).with_name("k_quants.npz"), **golden)


if __name__ == "__main__":
    main(sys.argv[1])
