"""A program in memory: op records one behind the other, written kind by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.cpu.records import in_program

Fields = Mapping[str, int | float]


class _Kind(NamedTuple):
    """Records of one dtype: its fields in their order, where they go in the program, and their values."""

    record: np.dtype[np.void]
    names: dict[str, None]
    places: list[int]
    rows: list[tuple[int | float, ...]]


def write_records(memory: npt.NDArray[np.uint8], ops: Sequence[tuple[np.dtype[np.void], Fields]]) -> None:
    """Write op records; a field that is not named is 0.

    NumPy takes all records of a kind at once, which costs far less than field by field.

    Args:
        memory: uint8 [n * OP_BYTES], room for every op.
        ops: each with its record and the values of its fields.

    Raises:
        ValueError: a field that its record does not have.
    """
    kinds: dict[int, _Kind] = {}
    for place, (record, fields) in enumerate(ops):
        if (kind := kinds.get(id(record))) is None:
            kind = kinds[id(record)] = _Kind(record, dict.fromkeys(record.names or ()), [], [])
        if not fields.keys() <= kind.names.keys():
            raise ValueError(f"op {place} has the fields {sorted(fields)}; its record has {list(kind.names)}")
        kind.places.append(place)
        kind.rows.append(tuple([fields.get(name, 0) for name in kind.names]))
    for kind in kinds.values():
        dtype = in_program(kind.record)
        memory.view(dtype)[kind.places] = np.array(kind.rows, dtype)
