"""Packed weights read back number by number, by the layout as it is written down, against `dequantize`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from helpers.cpu import cpu_backend, type_name
from helpers.pack_numpy import PACKINGS, pack_rows
from helpers.weights import random_weights
from numpy.typing import NDArray

from rushlight.backends.cpu import CpuBackend
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import BLOCK_SIZES
from rushlight.quants import dequantize
from rushlight.quants.codebooks import CODEBOOKS
from rushlight.quants.four_bit_floats import DOUBLED_FP4
from rushlight.quants.iq4 import LEVELS as IQ4_LEVELS

Doubles = NDArray[np.float64]
LANES = 16
ENTRIES = {name: book.values() for name, book in CODEBOOKS.items()}


class Group:
    """The packed bytes of one block of 16 rows, and where a row's numbers lie in them."""

    def __init__(self, packed: NDArray[np.uint8], row: int) -> None:
        self.packed, self.row = packed, row

    def half(self, start: int) -> float:
        place = start + 2 * self.row
        return float(self.packed[place : place + 2].view(np.float16)[0])

    def byte(self, start: int) -> int:
        return int(self.packed[start + self.row])

    def lane(self, start: int, vector: int, column: int) -> int:
        """Byte of a column (0 to 3) in the lane of the row, in a vector of 64 bytes."""
        return int(self.packed[start + 64 * vector + 4 * self.row + column])

    def nibble(self, start: int, column: int) -> int:
        """Column 0 to 31 of 4 vectors: 0 to 15 in low halves, the others in high ones."""
        byte = self.lane(start, column % 16 // 4, column % 4)
        return byte & 15 if column < 16 else byte >> 4

    def five_bits(self, start: int, column: int) -> int:
        """A nibble, and a bit of a fifth vector whose bit j is that of vector j of 8."""
        bit = self.lane(start + 256, 0, column % 4) >> (column // 4) & 1
        return self.nibble(start, column) | bit << 4

    def six_bits(self, start: int, column: int) -> int:
        """A nibble, and two bits of one of two more vectors, each for half of the columns."""
        bits = self.lane(start + 256, column // 16, column % 4) >> (2 * (column % 16 // 4)) & 3
        return self.nibble(start, column) | bits << 4

    def pair(self, start: int, column: int) -> int:
        """Two bits of column 0 to 31 of 2 vectors of 16 columns, bits 2 j and 2 j + 1 for word j of a row."""
        return self.lane(start, column // 16, column % 4) >> (2 * (column % 16 // 4)) & 3

    def bit(self, start: int, column: int) -> int:
        """Bit j of column 0 to 31 is that of word j of a row."""
        return self.lane(start, 0, column % 4) >> (column // 4) & 1

    def word(self, start: int) -> int:
        """16 bits a row."""
        return self.byte_at(start + 2 * self.row) | self.byte_at(start + 2 * self.row + 1) << 8

    def byte_at(self, place: int) -> int:
        return int(self.packed[place])


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def k_value(g: Group, c: int, q: int) -> float:
    """Scales of 8 blocks in bytes of their own, minima in 2 vectors; dmin is stored negated."""
    minimum = g.lane(192, c // 128, c // 32 % 4)
    return g.half(0) * g.byte(64 + 16 * (c // 32)) * q + g.half(32) * minimum


def q6_k(g: Group, c: int) -> float:
    q = g.six_bits(288 + 384 * (c // 32), c % 32) - 32
    return g.half(0) * signed(g.byte(32 + 16 * (c // 16))) * q


def word(dtype: str) -> Callable[[Group, int], float]:
    size = np.dtype(dtype).itemsize
    return lambda g, c: float(g.packed[size * g.row : size * (g.row + 1)].view(dtype)[0])


def bf16(g: Group, c: int) -> float:
    low, high = g.packed[2 * g.row : 2 * g.row + 2]
    return float(np.array([0, 0, low, high], np.uint8).view(np.float32)[0])


def ternary(g: Group, c: int) -> float:
    return g.half(0) * (g.pair(32 + 128 * (c // 32), c % 32) - 1)


def q2_k(g: Group, c: int) -> float:
    scales = g.byte(64 + 16 * (c // 16))
    q = g.pair(320 + 128 * (c // 32), c % 32)
    return g.half(0) * (scales & 15) * q - g.half(32) * (scales >> 4)


def q3_k(g: Group, c: int) -> float:
    block = 288 + 192 * (c // 32)
    q = (g.pair(block, c % 32) | g.bit(block + 128, c % 32) << 2) - 4
    return g.half(0) * signed(g.byte(32 + 16 * (c // 16))) * q


def q8_k(g: Group, c: int) -> float:
    d = float(g.packed[4 * g.row : 4 * g.row + 4].view(np.float32)[0])
    return d * signed(g.lane(64, c // 4, c % 4))


def iq4_xs(g: Group, c: int) -> float:
    level = IQ4_LEVELS[g.nibble(160 + 256 * (c // 32), c % 32)]
    return g.half(0) * signed(g.byte(32 + 16 * (c // 32))) * int(level)


def mxfp4(g: Group, c: int) -> float:
    return math.ldexp(int(DOUBLED_FP4[g.nibble(16, c)]), g.byte(0) - 128)


def nvfp4(g: Group, c: int) -> float:
    scale = g.byte(16 * (c // 16))
    exponent, mantissa = scale >> 3 & 15, scale & 7
    value = math.ldexp(8 + mantissa, exponent - 10) if exponent else math.ldexp(mantissa, -9)
    return value / 2 * int(DOUBLED_FP4[g.nibble(64 + 256 * (c // 32), c % 32)])


def nibble_scale(byte: int, high: int) -> int:
    """``2 s + 1`` of half a byte."""
    return 2 * (byte >> 4 * high & 15) + 1


def magnitude(codebook: str, place: int, column: int) -> int:
    return int(ENTRIES[codebook][place, column])


def sign(g: Group, start: int, c: int) -> int:
    """The sign of column 0 to 31: a byte of each row for each 8."""
    return -1 if g.byte(start + 16 * (c // 8)) >> (c % 8) & 1 else 1


def iq1(g: Group, c: int) -> float:
    block, column = 160 + 96 * (c // 32), c % 32
    bits = g.word(block + 64) >> (4 * (column // 8))
    place = g.byte(block + 16 * (column // 8)) | (bits & 7) << 8
    scale = nibble_scale(g.byte(32 + 16 * (c // 32)), column // 16)
    return g.half(0) * scale * (magnitude("IQ1_S", place, c % 8) + (-0.125 if bits & 8 else 0.125))


def iq2_xxs(g: Group, c: int) -> float:
    block, column = 96 + 128 * (c // 32), c % 32
    value = magnitude("IQ2_XXS", g.byte(block + 16 * (column // 8)), c % 8) * sign(g, block + 64, column)
    return g.half(0) / 8 * nibble_scale(g.byte(32 + 16 * (c // 64)), c // 32 % 2) * value


def iq2(codebook: str) -> Callable[[Group, int], float]:
    def read(g: Group, c: int) -> float:
        block, column = 160 + 144 * (c // 32), c % 32
        upper = g.byte(block + 64) >> (2 * (column // 8)) & 3
        place = g.byte(block + 16 * (column // 8)) | upper << 8
        value = magnitude(codebook, place, c % 8) * sign(g, block + 80, column)
        return g.half(0) / 8 * nibble_scale(g.byte(32 + 16 * (c // 32)), column // 16) * value

    return read


def place_of_four(g: Group, c: int) -> int:
    """Which of the 32 places of 8 columns is that of column 0 to 7: pairs of rows, of both eights in turn."""
    return 8 * (g.row % 8 // 2) + 4 * (g.row // 8) + 2 * (g.row % 2) + c // 4


def iq3_xxs(g: Group, c: int) -> float:
    block, column = 96 + 192 * (c // 32), c % 32
    place = g.byte_at(block + 32 * (column // 8) + place_of_four(g, c % 8))
    value = magnitude("IQ3_XXS", place, c % 4) * sign(g, block + 128, column)
    return g.half(0) / 4 * nibble_scale(g.byte(32 + 16 * (c // 64)), c // 32 % 2) * value


def iq3_s(g: Group, c: int) -> float:
    block, column = 96 + 208 * (c // 32), c % 32
    number = 32 * (column // 8) + place_of_four(g, c % 8)
    ninth = g.byte_at(block + 128 + number // 8) >> (number % 8) & 1
    value = magnitude("IQ3_S", g.byte_at(block + number) | ninth << 8, c % 4) * sign(g, block + 144, column)
    return g.half(0) * nibble_scale(g.byte(32 + 16 * (c // 64)), c // 32 % 2) * value


READERS: dict[GGMLType, Callable[[Group, int], float]] = {
    GGMLType.F32: word("<f4"),
    GGMLType.F16: word("<f2"),
    GGMLType.BF16: bf16,
    GGMLType.Q4_0: lambda g, c: g.half(0) * (g.nibble(32, c) - 8),
    GGMLType.Q4_1: lambda g, c: g.half(0) * g.nibble(64, c) + g.half(32),
    GGMLType.Q5_0: lambda g, c: g.half(0) * (g.five_bits(32, c) - 16),
    GGMLType.Q5_1: lambda g, c: g.half(0) * g.five_bits(64, c) + g.half(32),
    GGMLType.Q8_0: lambda g, c: g.half(0) * signed(g.lane(32, c // 4, c % 4)),
    GGMLType.Q4_K: lambda g, c: k_value(g, c, g.nibble(320 + 256 * (c // 32), c % 32)),
    GGMLType.Q5_K: lambda g, c: k_value(g, c, g.five_bits(320 + 320 * (c // 32), c % 32)),
    GGMLType.Q6_K: q6_k,
    GGMLType.Q1_0: lambda g, c: g.half(0) * (2 * g.bit(32 + 64 * (c // 32), c % 32) - 1),
    GGMLType.Q2_0: lambda g, c: g.half(0) * (g.pair(32 + 128 * (c // 32), c % 32) - 1),
    GGMLType.Q2_K: q2_k,
    GGMLType.Q3_K: q3_k,
    GGMLType.Q8_K: q8_k,
    GGMLType.TQ1_0: ternary,
    GGMLType.TQ2_0: ternary,
    GGMLType.IQ4_NL: lambda g, c: g.half(0) * int(IQ4_LEVELS[g.nibble(32, c)]),
    GGMLType.IQ4_XS: iq4_xs,
    GGMLType.MXFP4: mxfp4,
    GGMLType.NVFP4: nvfp4,
    GGMLType.IQ1_S: iq1,
    GGMLType.IQ1_M: iq1,
    GGMLType.IQ2_XXS: iq2_xxs,
    GGMLType.IQ2_XS: iq2("IQ2_XS"),
    GGMLType.IQ2_S: iq2("IQ2_S"),
    GGMLType.IQ3_XXS: iq3_xxs,
    GGMLType.IQ3_S: iq3_s,
}


def packed(tensor: GGUFTensor, backend: CpuBackend) -> NDArray[np.uint8]:
    """uint8 [groups, blocks, bytes of a packed block]."""
    matrix = backend.matrix(tensor)
    backend.wait()
    (part,) = matrix.parts  # type: ignore[attr-defined]
    assert matrix.shape == tensor.shape
    assert part.region.address % 64 == 0
    return part.region.bytes.reshape(part.n_groups, part.n_blocks, -1)


def read_back(groups: NDArray[np.uint8], tensor: GGUFTensor) -> Doubles:
    """Every weight, padding included: float64 [groups * 16, K]."""
    read, columns = READERS[tensor.type], BLOCK_SIZES[tensor.type].values
    values = np.empty((len(groups) * LANES, tensor.shape[1]))
    for row, column in np.ndindex(*values.shape):
        group = Group(groups[row // LANES, column // columns], row % LANES)
        values[row, column] = read(group, column % columns)
    return values


def test_every_type_is_read_back() -> None:
    assert set(READERS) == set(GGMLType)


@pytest.mark.parametrize("type", READERS, ids=type_name)
@pytest.mark.parametrize("n_rows", [1, 17])
def test_every_number_is_where_it_should_be(type: GGMLType, n_rows: int) -> None:
    n_columns = {1: 5, 32: 64}.get(BLOCK_SIZES[type].values, 256)
    tensor = random_weights(type, n_rows, n_columns)
    found = read_back(packed(tensor, cpu_backend()), tensor)
    exact = dequantize(tensor.raw, type).astype(np.float64)
    # The oracle rounds scales and products to float32.
    np.testing.assert_allclose(found[:n_rows], exact, rtol=3e-7, atol=3e-7 * np.abs(exact).max())
    assert not found[n_rows:].any()


@pytest.mark.parametrize("type", PACKINGS, ids=type_name)
def test_many_blocks_agree_with_numpy(type: GGMLType) -> None:
    """Whole arrays at once, by shuffling axes: another way to the same layout."""
    tensor = random_weights(type, 16 * 37, 1280)
    found = packed(tensor, cpu_backend())
    expected = np.empty_like(found)
    pack_rows(tensor.raw, type, expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_any_number_of_threads_packs_the_same(type: GGMLType) -> None:
    tensor = random_weights(type, 16 * 20 + 3, 512)
    one = packed(tensor, cpu_backend())
    many = packed(tensor, cpu_backend(3))
    np.testing.assert_array_equal(one, many)
    # Rows do not depend on how many others there are.
    first = GGUFTensor("t", (16, 512), type, tensor.raw[:16])
    np.testing.assert_array_equal(packed(first, cpu_backend()), one[:1])


@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_the_file_is_left_as_it_is(type: GGMLType) -> None:
    """Weights are views of a read-only mapping, at any offset."""
    tensor = random_weights(type, 20, 256)
    memory = np.full(tensor.raw.nbytes + 2, 0xA5, np.uint8)
    raw = memory[1:-1].reshape(tensor.raw.shape)
    raw[...] = tensor.raw
    memory.flags.writeable = raw.flags.writeable = False
    shifted = GGUFTensor("t", tensor.shape, type, raw)
    np.testing.assert_array_equal(packed(shifted, cpu_backend()), packed(tensor, cpu_backend()))
    np.testing.assert_array_equal(raw, tensor.raw)
