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

    def words(self, start: int) -> tuple[int, int]:
        """Twice 16 bits a row."""
        lane = self.packed[start + 4 * self.row : start + 4 * self.row + 4]
        return int(lane[:2].view(np.uint16)[0]), int(lane[2:].view(np.uint16)[0])

    def byte_at(self, place: int) -> int:
        return int(self.packed[place])


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def superblock(size: int, read: Callable[[Group, int, int], int]) -> Callable[[Group, int], float]:
    """Minima of 8 blocks in 2 vectors, then two halves: scales of 4 blocks in bytes of their own, and blocks
    of `size` bytes; dmin is stored negated.
    """

    def value(g: Group, c: int) -> float:
        half, block = 192 + c // 128 * (64 + 4 * size), c // 32 % 4
        minimum = g.lane(64, c // 128, block)
        q = read(g, half + 64 + block * size, c % 32)
        return g.half(0) * g.byte(half + 16 * block) * q + g.half(32) * minimum

    return value


def q6_k(g: Group, c: int) -> float:
    block = 32 + 416 * (c // 32)
    q = g.six_bits(block + 32, c % 32) - 32
    return g.half(0) * signed(g.byte(block + 16 * (c // 16 % 2))) * q


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


def place_in(g: Group, start: int, c: int, columns: int, is_wide: bool) -> int:
    """The place of column 0 to 31: runs of 32 bytes, two a row, then a mask of 32 ninth bits for each."""
    run, number = c // (2 * columns), 2 * g.row + c // columns % 2
    place = g.byte_at(start + 32 * run + number)
    mask = start + 512 // columns + 4 * run
    return place | (g.byte_at(mask + number // 8) >> number % 8 & 1) << 8 if is_wide else place


def sign(g: Group, start: int, c: int, columns: int) -> int:
    """The sign of column 0 to 31: vector i has 2 columns of each of a lane's two entries."""
    vector = columns // 2 * (c // (2 * columns)) + c % columns // 2
    byte = 2 * (c // columns % 2) + c % 2
    return -1 if g.lane(start, 0, byte) >> vector & 1 else 1


# A word's digits of base 3, highest first, are these columns.
DIGITS = (0, 2, 1, 3, 4, 6, 5, 7)


def trits(number: int) -> list[int]:
    """8 columns, 0 to 2, of a number of 13 bits: the least whose share of 2**13 is not below theirs."""
    value = number * 3**8 >> 13
    columns = [0] * 8
    for column in reversed(DIGITS):
        value, columns[column] = divmod(value, 3)
    return columns


def last_number(g: Group, start: int, entry: int) -> int:
    """One of the two entries of a row that are not in the words at `start`: its bits, highest first."""
    upper = g.byte_at(start + 64 + 2 * g.row + entry)
    middle = g.byte(start + 96) >> 4 * entry & 15
    return upper << 5 | middle << 1 | g.lane(start, 0, 2 * entry) & 1


def number(g: Group, start: int, group: int) -> int:
    """That of 8 of 32 columns in IQ1_S and IQ2_S."""
    return g.words(start)[group] >> 3 if group < 2 else last_number(g, start, group - 2)


def iq1_s(g: Group, c: int) -> float:
    start = 32 + 112 * (c // 32)
    a, b = g.words(start)
    scale = 2 * (a >> 1 & 3 | (b >> 1 & 1) << 2) + 1
    level = trits(number(g, start, c % 32 // 8))[c % 8] - 1
    return g.half(0) * scale * (level + (0.125 if b & 4 else -0.125))


def iq1_m(g: Group, c: int) -> float:
    words = g.words(32 + 64 * (c // 16))
    scale = 2 * (words[0] >> 1 & 3 | (words[1] >> 1 & 1) << 2) + 1
    word = words[c % 16 // 8]
    return g.half(0) * scale * (trits(word >> 3)[c % 8] - 1 + (0.125 if word & 1 else -0.125))


def iq2_s(g: Group, c: int) -> float:
    start, column = 96 + 176 * (c // 32), c % 32
    a, b = g.words(start)
    scale = 2 * (a >> 1 & 3 | (b >> 1 & 3) << 2) + 1
    if column >= 16:
        scale = nibble_scale(g.byte(32 + 16 * (c // 64)), c // 32 % 2)
    value = (8, 25, 43)[trits(number(g, start, column // 8))[c % 8]]
    return g.half(0) / 8 * scale * value * sign(g, start + 112, column, 8)


def codebook(
    name: str, columns: int, is_wide: bool, run: int, factor: float
) -> Callable[[Group, int], float]:
    places = 512 // columns
    masks = 64 // columns * is_wide
    scales = 128 * 16 // run

    def read(g: Group, c: int) -> float:
        block, column = 32 + scales + (places + masks + 64) * (c // 32), c % 32
        value = magnitude(name, place_in(g, block, column, columns, is_wide), c % columns)
        scale = nibble_scale(g.byte(32 + 16 * (c // (2 * run))), c // run % 2)
        return g.half(0) * factor * scale * value * sign(g, block + places + masks, column, columns)

    return read


READERS: dict[GGMLType, Callable[[Group, int], float]] = {
    GGMLType.F32: word("<f4"),
    GGMLType.F16: word("<f2"),
    GGMLType.BF16: bf16,
    GGMLType.Q4_0: lambda g, c: g.half(0) * (g.nibble(32, c) - 8),
    GGMLType.Q4_1: lambda g, c: g.half(0) * g.nibble(64, c) + g.half(32),
    GGMLType.Q5_0: lambda g, c: g.half(0) * (g.five_bits(32, c) - 16),
    GGMLType.Q5_1: lambda g, c: g.half(0) * g.five_bits(64, c) + g.half(32),
    GGMLType.Q8_0: lambda g, c: g.half(0) * signed(g.lane(32, c // 4, c % 4)),
    GGMLType.Q4_K: superblock(256, Group.nibble),
    GGMLType.Q5_K: superblock(320, Group.five_bits),
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
    GGMLType.IQ1_S: iq1_s,
    GGMLType.IQ1_M: iq1_m,
    GGMLType.IQ2_XXS: codebook("IQ2_XXS", 8, False, 32, 0.125),
    GGMLType.IQ2_XS: codebook("IQ2_XS", 8, True, 16, 0.125),
    GGMLType.IQ2_S: iq2_s,
    GGMLType.IQ3_XXS: codebook("IQ3_XXS", 4, False, 32, 0.25),
    GGMLType.IQ3_S: codebook("IQ3_S", 4, True, 32, 1.0),
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
