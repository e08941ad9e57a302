"""`dequantize` against gguf-py, bit for bit, on every pattern of bits a block can hold."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidParameter, UnsupportedTensorType
from rushlight.gguf.types import BLOCK_SIZES, GGMLType
from rushlight.quants import BLOCK_DTYPES, dequantize
from rushlight.quants.convert import CHUNK_VALUES

HALVES = {
    "zero": 0x0000,
    "minus zero": 0x8000,
    "smallest subnormal": 0x0001,
    "largest subnormal": 0x83FF,
    "one": 0x3C00,
    "largest": 0x7BFF,
    "infinity": 0x7C00,
    "minus infinity": 0xFC00,
    "quiet NaN": 0x7E00,
    "signalling NaN": 0x7D01,
}
SCALED = [type for type in GGMLType if BLOCK_SIZES[type].values > 1]


NOT_IN_GGUF_PY = (GGMLType.Q8_K, GGMLType.Q1_0, GGMLType.Q2_0)


def one_by_one(block: bytes, type: GGMLType) -> list[np.float32]:
    """The values of a block of a type that gguf-py does not convert, each on its own."""
    if type is GGMLType.Q8_K:
        d = np.frombuffer(block[:4], np.float32)[0]
        return [d * np.float32(q) for q in np.frombuffer(block[4:260], np.int8)]
    d = np.float32(np.frombuffer(block[:2], np.float16)[0])
    number = int.from_bytes(block[2:], "little")
    if type is GGMLType.Q1_0:
        return [d if number >> i & 1 else -d for i in range(128)]
    return [np.float32((number >> 2 * i & 3) - 1) * d for i in range(64)]


def expected(raw: np.ndarray, type: GGMLType) -> np.ndarray:
    block = BLOCK_SIZES[type]
    with np.errstate(all="ignore"):
        if type in NOT_IN_GGUF_PY:
            values = [one_by_one(b.tobytes(), type) for b in raw.reshape(-1, block.bytes)]
            return np.array(values, np.float32).reshape(*raw.shape[:-1], -1)
        return gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[type.name])


def assert_same_bits(found: np.ndarray, wanted: np.ndarray, blocks: np.ndarray) -> None:
    """Equal bits, or NaN in both; else the worst block is shown in hex."""
    assert found.dtype == np.float32 and found.shape == wanted.shape
    same = (found.view(np.uint32) == wanted.view(np.uint32)) | (np.isnan(found) & np.isnan(wanted))
    if same.all():
        return
    wrong = (~same).reshape(len(blocks), -1).sum(axis=1)
    i = int(wrong.argmax())
    found, wanted = found.reshape(len(blocks), -1)[i], wanted.reshape(len(blocks), -1)[i]
    raise AssertionError(f"block {i} = {blocks[i].tobytes().hex()}: {wrong[i]} differ: {found} not {wanted}")


@pytest.mark.parametrize("type", GGMLType, ids=lambda t: t.name)
def test_random_bytes(type: GGMLType) -> None:
    rng = np.random.default_rng(type)
    size = BLOCK_SIZES[type].bytes
    raw = rng.integers(0, 256, (2000, size), np.uint8)
    assert_same_bits(dequantize(raw, type), expected(raw, type), raw)


@pytest.mark.parametrize("type", NOT_IN_GGUF_PY, ids=lambda t: t.name)
def test_the_values_of_ggml(type: GGMLType) -> None:
    with np.load(Path(__file__).with_name("k_quants.npz")) as golden:
        raw, values = golden[f"blocks.{type.name}"], golden[f"values.{type.name}"]
    assert_same_bits(dequantize(raw, type), values, raw)
    assert_same_bits(expected(raw, type), values, raw)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("type", SCALED, ids=lambda t: t.name)
def test_special_scales(type: GGMLType, half: str) -> None:
    rng = np.random.default_rng(HALVES[half])
    raw = rng.integers(0, 256, (16, BLOCK_SIZES[type].bytes), np.uint8)
    blocks = raw.reshape(-1).view(BLOCK_DTYPES[type])
    for name in blocks.dtype.names or ():
        if blocks.dtype[name] != np.float16:
            continue
        # Every second block keeps its other scale, so that special ones also meet ordinary ones.
        blocks[name][:: 1 if name == "d" else 2] = np.uint16(HALVES[half]).view(np.float16)
    assert_same_bits(dequantize(raw, type), expected(raw, type), raw)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(GGMLType)), st.data())
def test_any_block(type: GGMLType, data: st.DataObject) -> None:
    size = BLOCK_SIZES[type].bytes
    raw = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8).reshape(1, size)
    assert_same_bits(dequantize(raw, type), expected(raw, type), raw)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0, 4)])
@pytest.mark.parametrize("type", GGMLType, ids=lambda t: t.name)
def test_shapes(type: GGMLType, shape: tuple[int, ...]) -> None:
    block = BLOCK_SIZES[type]
    raw = np.random.default_rng(5).integers(0, 256, (*shape, 2 * block.bytes), np.uint8)
    values = dequantize(raw, type)
    assert values.shape == (*shape, 2 * block.values)
    assert values.flags.writeable and not np.shares_memory(values, raw)
    one_by_one = [dequantize(row, type) for row in raw.reshape(-1, 2 * block.bytes)]
    assert np.array_equal(
        values.reshape(-1, 2 * block.values), np.reshape(one_by_one, (-1, 2 * block.values)), True
    )


@pytest.mark.parametrize("type", GGMLType, ids=lambda t: t.name)
def test_rows_may_be_strided_and_unaligned(type: GGMLType) -> None:
    size = BLOCK_SIZES[type].bytes
    whole = np.random.default_rng(6).integers(0, 256, (6, 3 * size + 1), np.uint8)
    for view in (whole[::2, 1:], whole[:, size + 1 :], whole[::-1, 1:]):
        assert_same_bits(dequantize(view, type), expected(view.copy(), type), view.copy())


@pytest.mark.parametrize("type", GGMLType, ids=lambda t: t.name)
def test_more_than_one_chunk(type: GGMLType) -> None:
    block = BLOCK_SIZES[type]
    n_blocks = CHUNK_VALUES // block.values + 3
    raw = np.random.default_rng(7).integers(0, 256, (n_blocks, block.bytes), np.uint8)
    assert_same_bits(dequantize(raw, type), expected(raw, type), raw)


def test_memory_stays_near_the_result() -> None:
    raw = np.zeros((2048, 8 * 144), np.uint8)
    tracemalloc.start()
    try:
        values = dequantize(raw, "Q4_K")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.25 * values.nbytes


def test_types_by_number_name_and_member() -> None:
    raw = np.random.default_rng(8).integers(0, 255, (2, 18), np.uint8)
    wanted = dequantize(raw, GGMLType.Q4_0)
    assert np.array_equal(dequantize(raw, 2), wanted, True)
    assert np.array_equal(dequantize(raw, "q4_0"), wanted, True)


@pytest.mark.parametrize("type", [4, 9, 999, -1, "Q8_1", "nonsense", ""])
def test_other_types_are_refused(type: int | str) -> None:
    with pytest.raises(UnsupportedTensorType, match="supported are F32"):
        dequantize(np.zeros((1, 18), np.uint8), type)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.zeros((1, 18), np.int8), "are int8; expected a uint8 array"),
        (bytes(18), "are bytes; expected a uint8 array"),
        (np.zeros((2, 17), np.uint8), r"shape \(2, 17\); expected a multiple of 18 bytes"),
        (np.zeros((), np.uint8), r"shape \(\)"),
    ],
)
def test_other_rows_are_refused(raw: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        dequantize(raw, "Q4_0")
