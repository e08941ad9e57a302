"""Neighbouring ops of a recording become one, where nothing else reads what lies between them.

A norm or an activation whose result is only quantized writes the 8-bit numbers at once; a residual that is
added to a matrix product is added as the product is written. The arithmetic stays the same, bit for bit.
"""

from __future__ import annotations

from collections import defaultdict

from rushlight.backends.cpu.recording import Buffer, Field, RecordedOp, Recording, Value

_INTO_QUANTIZE = ("rms_norm", "silu_mul", "relu_mul", "gelu_mul", "gelu", "relu_squared", "swiglu_oai")
_PRODUCTS = ("linear", "experts")
_WRITTEN = {"y", "meta", "parts"}


def fuse(recording: Recording) -> None:
    """Fuse what can be fused, in place. Buffers that outlive the last op are left as they are."""
    end = len(recording.ops)
    kept = {buffer for buffer in recording.buffers if buffer.last >= end}
    ops: list[RecordedOp | None] = list(recording.ops)
    readers: dict[Buffer, list[int]] = defaultdict(list)
    writers: dict[Buffer, list[int]] = defaultdict(list)
    for i, op in enumerate(recording.ops):
        for name, item in op.fields.items():
            if (buffer := _buffer(item)) is not None:
                written = name in _WRITTEN and not (name == "meta" and op.kernel.startswith(_PRODUCTS))
                (writers if written else readers)[buffer].append(i)
    for i, op in enumerate(recording.ops):
        y = op.fields.get("y")
        if not isinstance(y, Value) or y.buffer in kept or len(readers[y.buffer]) != 1:
            continue
        (j,) = readers[y.buffer]
        if op.kernel in _INTO_QUANTIZE:
            _fuse_quantize(ops, i, j)
        elif op.kernel.startswith("linear") and i == writers[y.buffer][0]:
            _fuse_add(ops, writers[y.buffer], j)
    recording.ops[:] = [op for op in ops if op is not None]
    _renumber(recording, kept)


def _buffer(item: Field) -> Buffer | None:
    if isinstance(item, Value):
        return item.buffer
    return item if isinstance(item, Buffer) else None


def _fuse_quantize(ops: list[RecordedOp | None], i: int, j: int) -> None:
    op, reader = ops[i], ops[j]
    if (
        op is None
        or reader is None
        or not reader.kernel.startswith("quantize_")
        or op.fields.get("n_group", 1) != 1
        or op.fields.get("weight") == 0
    ):
        return
    if reader.fields["x"] != op.fields["y"]:
        return
    fields = {name: item for name, item in op.fields.items() if name not in ("bias", "n_group")}
    written = {name: reader.fields[name] for name in ("y", "y_stride", "meta", "meta_stride")}
    ops[i], ops[j] = RecordedOp(f"{op.kernel}_{reader.kernel}", {**fields, **written}), None


def _fuse_add(ops: list[RecordedOp | None], products: list[int], j: int) -> None:
    """Let the parts of a product, which all write one buffer, write the sum instead."""
    add, product = ops[j], ops[products[0]]
    if add is None or product is None or add.kernel != "add":
        return
    between, total = add.fields["z"], add.fields["y"]
    residual, written = add.fields["x"], product.fields["y"]
    if not isinstance(between, Value):
        return  # a vector is added to every row
    assert isinstance(total, Value)
    assert isinstance(residual, Value) and isinstance(written, Value)
    buffer = written.buffer
    fits = residual.offset == 0 and residual.buffer.row_bytes == buffer.row_bytes == total.buffer.row_bytes
    if between.buffer is not buffer or between.offset or not fits or residual.buffer.first >= products[0]:
        return
    for i in products:
        part = ops[i]
        assert part is not None
        y = part.fields["y"]
        assert isinstance(y, Value)
        fields: dict[str, Field] = {
            "residual": Value(residual.buffer, y.n_columns, y.offset),
            "residual_stride": residual.buffer.row_bytes,
            "y": Value(total.buffer, y.n_columns, y.offset),
        }
        ops[i] = RecordedOp(part.kernel, {**part.fields, **fields})
    ops[j] = None


def _renumber(recording: Recording, kept: set[Buffer]) -> None:
    """The lives of all buffers, after ops have gone."""
    lives: dict[Buffer, list[int]] = defaultdict(list)
    for i, op in enumerate(recording.ops):
        for item in op.fields.values():
            if (buffer := _buffer(item)) is not None:
                lives[buffer].append(i)
    recording.buffers[:] = [buffer for buffer in recording.buffers if buffer in lives]
    for buffer in recording.buffers:
        buffer.first, buffer.last = lives[buffer][0], lives[buffer][-1]
        if buffer in kept:
            buffer.last = len(recording.ops)
