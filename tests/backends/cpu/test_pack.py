"""Packed weights read back number by number, by the layout as it is written down, against `dequantize`."""

from __future__ import annotations

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

Doubles = NDArray[np.float64]
LANES = 16


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


@pytest.mark.parametrize("type", READERS, ids=type_name)
@pytest.mark.parametrize("n_rows", [1, 17])
def test_every_number_is_where_it_should_be(type: GGMLType, n_rows: int) -> None:
    n_columns = {1: 5, 32: 64, 256: 256}[BLOCK_SIZES[type].values]
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
