"""Records written kind by kind, read back by the dtypes that kernels are compiled for."""

from __future__ import annotations

import numpy as np
import pytest

from rushlight.backends.cpu.program import write_records
from rushlight.backends.cpu.records import ATTENTION, GATHER, NORM, OP_BYTES


def test_every_field_is_where_a_kernel_looks_for_it() -> None:
    rng = np.random.default_rng(0)
    kinds = [NORM, GATHER, ATTENTION, GATHER, NORM]
    ops = []
    for record in kinds:
        names = [name for name in record.names or () if name != "next"]
        values = {name: int(rng.integers(-(2**62), 2**62)) for name in names}
        values |= {name: 0.375 for name in names if record[name].kind == "f"}
        ops.append((record, values))
    memory = np.full((len(ops) + 1) * OP_BYTES, 0, np.uint8)
    write_records(memory, ops)
    for i, (record, values) in enumerate(ops):
        found = memory[i * OP_BYTES :][: record.itemsize].view(record)[0]
        assert {name: found[name] for name in record.names or ()} == {"next": 0, **values}
    assert not memory[len(ops) * OP_BYTES :].any()


def test_a_field_that_the_record_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"op 1 has the fields \['eps'\]"):
        write_records(np.zeros(2 * OP_BYTES, np.uint8), [(NORM, {"eps": 1e-5}), (GATHER, {"eps": 1e-5})])
