"""Rows of the embedding table: bit for bit what `quants.dequantize` gives, then scaled."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cpu import NO_CACHE, TableModel, cpu_backend, flat_batch, randn, table_limits, tensor, type_name

from rushlight.backends.cpu.weights import Table
from rushlight.errors import InvalidParameter
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.quants import BLOCK_DTYPES, dequantize

N_ROWS = 40


def random_table(type: GGMLType, n_columns: int, seed: int = 0) -> GGUFTensor:
    """Blocks of random bits; every half that is infinite or NaN is made an ordinary number."""
    rng = np.random.default_rng(seed)
    dtype = BLOCK_DTYPES[type]
    columns = dequantize(np.zeros(dtype.itemsize, np.uint8), type).size
    raw = rng.integers(0, 256, (N_ROWS, n_columns // columns, dtype.itemsize), np.uint8)
    blocks = raw.view(dtype)
    for name in dtype.names or ():
        if dtype[name] == np.dtype("<f2"):
            bits = blocks[name].view(np.uint16)
            bits[(bits & 0x7C00) == 0x7C00] &= 0xBFFF
    if type is GGMLType.F32:
        raw = randn(N_ROWS, n_columns, seed=seed).view(np.uint8)
    if type is GGMLType.F16:
        bits = raw.view(np.uint16)
        bits[(bits & 0x7C00) == 0x7C00] &= 0xBFFF
    if type is GGMLType.BF16:
        bits = raw.view(np.uint16)
        bits[(bits & 0x7F80) == 0x7F80] &= 0xBFFF
    return GGUFTensor("t.weight", (N_ROWS, n_columns), type, raw.reshape(N_ROWS, -1))


@pytest.mark.parametrize("scale", [1.0, 0.3, 27.71281])
@pytest.mark.parametrize("type", GGMLType, ids=type_name)
def test_rows_are_dequantized_bit_for_bit(type: GGMLType, scale: float) -> None:
    table = random_table(type, 512)
    backend = cpu_backend()
    model = TableModel(lambda ops, x: ops.embed(weight, scale), weight := backend.embedding(table), NO_CACHE)
    ids = [3, 0, N_ROWS - 1, 3, *range(N_ROWS)]
    limits = table_limits(np.zeros((len(ids), 1), np.float32))
    found = backend.executor(model, limits).step(flat_batch(ids))
    with np.errstate(over="ignore"):
        expected = dequantize(table.raw[ids], type) * np.float32(scale)
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_every_token_id_has_a_row() -> None:
    backend = cpu_backend()
    small, large = (backend.embedding(tensor(randn(n, 8))) for n in (4, 5))
    model = TableModel(lambda ops, x: ops.embed(small), large, NO_CACHE)
    with pytest.raises(InvalidParameter, match="5 tokens, but its embedding table 4 rows"):
        backend.executor(model, table_limits(np.zeros((1, 1), np.float32)))


def test_rows_that_are_not_whole_are_refused() -> None:
    whole = random_table(GGMLType.Q4_0, 64)
    for raw in (whole.raw[:, :-1], whole.raw[::2], np.asfortranarray(whole.raw)):
        with pytest.raises(ValueError, match="40 rows of 36 bytes expected"):
            Table(GGUFTensor("t.weight", whole.shape, whole.type, raw))
