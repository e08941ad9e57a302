"""Convert between stored blocks and float32 values, for every tensor type."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidParameter, UnsupportedTensorType
from rushlight.gguf.types import BLOCK_SIZES, GGMLType
from rushlight.gguf.types import ggml_type as find_type
from rushlight.quants.blocks import BLOCK_DTYPES, Bytes, Floats

# Values converted at a time: their intermediate arrays stay in the cache, and memory stays near the result's.
CHUNK_VALUES = 1 << 16

# No scale of a block format reaches so far, and below it the sums that the searches form stay finite.
LARGEST_BLOCK_VALUE = 1e9

_MODULES: dict[GGMLType, str] = {
    GGMLType.F32: "floats",
    GGMLType.F16: "floats",
    GGMLType.BF16: "floats",
    GGMLType.Q4_0: "legacy",
    GGMLType.Q4_1: "legacy",
    GGMLType.Q5_0: "legacy",
    GGMLType.Q5_1: "legacy",
    GGMLType.Q8_0: "legacy",
    GGMLType.Q4_K: "k_quants",
    GGMLType.Q5_K: "k_quants",
    GGMLType.Q6_K: "k_quants",
    GGMLType.Q2_K: "low_k_quants",
    GGMLType.Q3_K: "low_k_quants",
    GGMLType.Q8_K: "low_k_quants",
    GGMLType.IQ1_S: "iq",
    GGMLType.IQ1_M: "iq",
    GGMLType.IQ2_XXS: "iq",
    GGMLType.IQ2_XS: "iq",
    GGMLType.IQ2_S: "iq",
    GGMLType.IQ3_XXS: "iq",
    GGMLType.IQ3_S: "iq",
    GGMLType.IQ4_NL: "iq4",
    GGMLType.IQ4_XS: "iq4",
    GGMLType.TQ1_0: "few_levels",
    GGMLType.TQ2_0: "few_levels",
    GGMLType.MXFP4: "four_bit_floats",
    GGMLType.NVFP4: "four_bit_floats",
    GGMLType.Q1_0: "few_levels",
    GGMLType.Q2_0: "few_levels",
}
"""Where ``dequantize_TYPE`` (but that of F32) and ``quantize_TYPE`` are, imported when they are called."""

QUANTIZABLE = (
    GGMLType.F32,
    GGMLType.F16,
    GGMLType.BF16,
    GGMLType.Q4_0,
    GGMLType.Q4_1,
    GGMLType.Q5_0,
    GGMLType.Q5_1,
    GGMLType.Q8_0,
    GGMLType.Q4_K,
    GGMLType.Q5_K,
    GGMLType.Q6_K,
    GGMLType.Q8_K,
    GGMLType.TQ1_0,
    GGMLType.TQ2_0,
    GGMLType.MXFP4,
    GGMLType.Q1_0,
    GGMLType.Q2_0,
)
"""Types that `quantize` writes. Most others are of little use without the importance of each weight, which
only a run over text tells."""


def dequantize(raw: Bytes, ggml_type: int | str) -> Floats:
    """The values of stored rows, bit for bit those of gguf-py's ``quants.dequantize``.

    Q8_K, Q1_0 and Q2_0, which gguf-py does not convert, give those of ggml's own functions.

    Args:
        raw: uint8 [..., row bytes], such as `GGUFTensor.raw` or some of its rows.
        ggml_type: a `GGMLType`, its number or its name (``"Q4_K"``).

    Returns:
        float32 [..., n], a new array. A damaged block gives what its scale says, infinity and NaN included.

    Raises:
        UnsupportedTensorType: the type is none that this version reads.
        InvalidParameter: `raw` is not uint8, or its rows are no whole number of blocks.
    """
    type = find_type(ggml_type)
    block = BLOCK_SIZES[type]
    if not isinstance(raw, np.ndarray) or raw.dtype != np.uint8:
        raise InvalidParameter(f"The stored rows are {_kind(raw)}; expected a uint8 array.")
    _check_rows("bytes", raw, block.bytes, type)
    if type is GGMLType.F32:  # the norms of a model, of which there are hundreds
        return np.ascontiguousarray(raw).view(BLOCK_DTYPES[type]).astype(np.float32)
    n_blocks = raw.size // block.bytes
    blocks = np.ascontiguousarray(raw).reshape(-1).view(BLOCK_DTYPES[type])
    out = np.empty((n_blocks, block.values), np.float32)
    convert, step = _converter("dequantize", type), CHUNK_VALUES // block.values
    # A damaged scale may be infinite or NaN; its values are too, without a warning.
    with np.errstate(all="ignore"):
        for start in range(0, n_blocks, step):
            out[start : start + step] = convert(blocks[start : start + step])
    return out.reshape(*raw.shape[:-1], raw.shape[-1] // block.bytes * block.values)


def quantize(values: npt.ArrayLike, ggml_type: int | str) -> Bytes:
    """Store values as rows of blocks.

    F32, F16, BF16, the legacy types, TQ1_0, TQ2_0 and MXFP4 give the bytes that gguf-py's ``quants.quantize``
    gives, Q8_K, Q1_0 and Q2_0 those of llama.cpp's reference quantizers; Q4_K, Q5_K and Q6_K search for the
    best scales as these do.

    Args:
        values: finite numbers [..., n], taken as float32; n is a multiple of the type's block.
        ggml_type: a `GGMLType`, its number or its name (``"Q4_K"``).

    Returns:
        uint8 [..., row bytes], a new array.

    Raises:
        UnsupportedTensorType: the type is none that this version writes.
        InvalidParameter: a value is infinite, NaN or too large for the type, or the rows have another length.
    """
    type = find_type(ggml_type)
    if type not in QUANTIZABLE:
        written = ", ".join(t.name for t in QUANTIZABLE)
        raise UnsupportedTensorType(
            f"Tensor type {type.name} can be read but not written; written are {written}."
        )
    block = BLOCK_SIZES[type]
    given = np.asarray(values)
    if given.dtype.kind not in "fiu":
        raise InvalidParameter(f"The values are {_kind(given)}; expected numbers.")
    _check_rows("values", given, block.values, type)
    n_blocks = given.size // block.values
    flat = np.ascontiguousarray(given).reshape(n_blocks, block.values)
    out = np.empty((n_blocks, block.bytes), np.uint8)
    convert, step = _converter("quantize", type), CHUNK_VALUES // block.values
    with np.errstate(all="ignore"):
        for start in range(0, n_blocks, step):
            chunk = flat[start : start + step].astype(np.float32)
            _check_values(chunk, type)
            out[start : start + step] = convert(chunk).view(np.uint8).reshape(-1, block.bytes)
    return out.reshape(*given.shape[:-1], given.shape[-1] // block.values * block.bytes)


def _converter(verb: str, type: GGMLType) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    module = importlib.import_module(f"rushlight.quants.{_MODULES[type]}")
    converter: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] = getattr(module, f"{verb}_{type.name.lower()}")
    return converter


def _check_rows(unit: str, rows: npt.NDArray[np.generic], per_block: int, type: GGMLType) -> None:
    if rows.ndim == 0 or rows.shape[-1] % per_block:
        raise InvalidParameter(
            f"The rows have the shape {rows.shape}; expected a multiple of {per_block} {unit} in the last "
            f"dimension for {type.name}."
        )


def _check_values(values: Floats, type: GGMLType) -> None:
    largest = float(np.abs(values).max())
    if not np.isfinite(largest):
        raise InvalidParameter(
            f"The values hold {largest} after rounding to float32; expected finite numbers."
        )
    if BLOCK_SIZES[type].values > 1 and largest > LARGEST_BLOCK_VALUE:
        raise InvalidParameter(f"The values are too large for {type.name}: the largest is {largest:.4g}.")


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else value.__class__.__name__
