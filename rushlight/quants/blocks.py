"""The block formats, one NumPy dtype each, with ggml's field names.

A block holds 32 to 256 values: small integers `qs` (high bits apart in `qh`), a scale `d` that multiplies
them, and in some formats an offset `m` or `dmin`. K-quants scale `d` and `dmin` again for each group of 16 or
32 values by the integers in `scales`. The IQ types up to 3 bits hold places in a codebook, not integers.
Which value a bit belongs to is said where it is unpacked: `legacy`, `k_quants`, `low_k_quants`, `few_levels`,
`four_bit_floats`, `iq4` and `iq`.

Source: ``ggml-common.h`` in ggml (https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rushlight.gguf.types import BLOCK_SIZES, GGMLType

# Arrays of blocks, [N]; of bytes; of values.
Blocks: TypeAlias = npt.NDArray[Any]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

QK = 32  # values in a legacy block
QK_K = 256  # values in a K-quant block
K_SCALE_BYTES = 12  # eight 6-bit scales and eight 6-bit minimums

BLOCK_DTYPES: dict[GGMLType, np.dtype[Any]] = {
    GGMLType.F32: np.dtype("<f4"),
    GGMLType.F16: np.dtype("<f2"),
    GGMLType.BF16: np.dtype("<u2"),
    GGMLType.Q4_0: np.dtype([("d", "<f2"), ("qs", "u1", QK // 2)]),
    GGMLType.Q4_1: np.dtype([("d", "<f2"), ("m", "<f2"), ("qs", "u1", QK // 2)]),
    GGMLType.Q5_0: np.dtype([("d", "<f2"), ("qh", "u1", QK // 8), ("qs", "u1", QK // 2)]),
    GGMLType.Q5_1: np.dtype([("d", "<f2"), ("m", "<f2"), ("qh", "u1", QK // 8), ("qs", "u1", QK // 2)]),
    GGMLType.Q8_0: np.dtype([("d", "<f2"), ("qs", "i1", QK)]),
    GGMLType.Q4_K: np.dtype(
        [("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", K_SCALE_BYTES), ("qs", "u1", QK_K // 2)]
    ),
    GGMLType.Q5_K: np.dtype(
        [
            ("d", "<f2"),
            ("dmin", "<f2"),
            ("scales", "u1", K_SCALE_BYTES),
            ("qh", "u1", QK_K // 8),
            ("qs", "u1", QK_K // 2),
        ]
    ),
    GGMLType.Q6_K: np.dtype(
        [("ql", "u1", QK_K // 2), ("qh", "u1", QK_K // 4), ("scales", "i1", QK_K // 16), ("d", "<f2")]
    ),
    GGMLType.Q2_K: np.dtype(
        [("scales", "u1", QK_K // 16), ("qs", "u1", QK_K // 4), ("d", "<f2"), ("dmin", "<f2")]
    ),
    GGMLType.Q3_K: np.dtype(
        [("hmask", "u1", QK_K // 8), ("qs", "u1", QK_K // 4), ("scales", "u1", K_SCALE_BYTES), ("d", "<f2")]
    ),
    GGMLType.Q8_K: np.dtype([("d", "<f4"), ("qs", "i1", QK_K), ("bsums", "<i2", QK_K // 16)]),
    GGMLType.IQ1_S: np.dtype([("d", "<f2"), ("qs", "u1", QK_K // 8), ("qh", "<u2", QK_K // 32)]),
    GGMLType.IQ1_M: np.dtype([("qs", "u1", QK_K // 8), ("qh", "u1", QK_K // 16), ("scales", "<u2", 4)]),
    GGMLType.IQ2_XXS: np.dtype([("d", "<f2"), ("qs", "<u4", QK_K // 16)]),
    GGMLType.IQ2_XS: np.dtype([("d", "<f2"), ("qs", "<u2", QK_K // 8), ("scales", "u1", QK_K // 32)]),
    GGMLType.IQ2_S: np.dtype(
        [
            ("d", "<f2"),
            ("qs", "u1", QK_K // 8),
            ("signs", "u1", QK_K // 8),
            ("qh", "u1", QK_K // 32),
            ("scales", "u1", QK_K // 32),
        ]
    ),
    GGMLType.IQ3_XXS: np.dtype([("d", "<f2"), ("qs", "u1", QK_K // 4), ("scales", "<u4", QK_K // 32)]),
    GGMLType.IQ3_S: np.dtype(
        [
            ("d", "<f2"),
            ("qs", "u1", QK_K // 4),
            ("qh", "u1", QK_K // 32),
            ("signs", "u1", QK_K // 8),
            ("scales", "u1", QK_K // 64),
        ]
    ),
    GGMLType.IQ4_NL: np.dtype([("d", "<f2"), ("qs", "u1", QK // 2)]),
    GGMLType.IQ4_XS: np.dtype(
        [("d", "<f2"), ("scales_h", "<u2"), ("scales_l", "u1", QK_K // 64), ("qs", "u1", QK_K // 2)]
    ),
    GGMLType.TQ1_0: np.dtype([("qs", "u1", 48), ("qh", "u1", 4), ("d", "<f2")]),
    GGMLType.TQ2_0: np.dtype([("qs", "u1", QK_K // 4), ("d", "<f2")]),
    GGMLType.MXFP4: np.dtype([("e", "u1"), ("qs", "u1", QK // 2)]),
    GGMLType.NVFP4: np.dtype([("d", "u1", 4), ("qs", "u1", 32)]),
    GGMLType.Q1_0: np.dtype([("d", "<f2"), ("qs", "u1", 16)]),
    GGMLType.Q2_0: np.dtype([("d", "<f2"), ("qs", "u1", 16)]),
}

for _type, _dtype in BLOCK_DTYPES.items():
    assert _dtype.itemsize == BLOCK_SIZES[_type].bytes, f"{_type.name} blocks have {_dtype.itemsize} bytes"
