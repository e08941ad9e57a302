"""The Numba types of kernels: vectors, tiles of vectors and pointers to records."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import lower_getattr_generic, models, register_model

LANE_BITS: dict[types.Type, ir.Type] = {
    types.boolean: ir.IntType(1),
    types.int8: ir.IntType(8),
    types.int16: ir.IntType(16),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
}


class Vector(types.Type):
    """A vector of `lanes` elements."""

    def __init__(self, element: types.Type, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"{element.name}x{lanes}")

    @property
    def ir_type(self) -> ir.VectorType:
        """The type in LLVM."""
        return ir.VectorType(LANE_BITS[self.element], self.lanes)


class Tile(types.Type):
    """`rows` vectors side by side: one row a token, one lane a weight row."""

    def __init__(self, vector: Vector, rows: int) -> None:
        self.vector, self.rows = vector, rows
        super().__init__(name=f"{vector.name}[{rows}]")

    @property
    def ir_type(self) -> ir.ArrayType:
        """The type in LLVM."""
        return ir.ArrayType(self.vector.ir_type, self.rows)


@register_model(Vector)
@register_model(Tile)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, numba_type.ir_type)


i8x64 = Vector(types.int8, 64)
i8x16 = Vector(types.int8, 16)
i32x16 = Vector(types.int32, 16)
f32x16 = Vector(types.float32, 16)
mask16 = Vector(types.boolean, 16)
f64x8 = Vector(types.float64, 8)
i64x8 = Vector(types.int64, 8)


class Record(types.Type):
    """The address of a record laid out as a NumPy structured dtype; its fields read as attributes."""

    def __init__(self, dtype: np.dtype[np.void], name: str) -> None:
        self.dtype = dtype
        super().__init__(name=f"Record({name})")


@register_model(Record)
class _RecordModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, ir.IntType(64))


# intp on every supported platform is 64 bits wide; halves and bytes are not used as fields.
_FIELD_TYPES = {
    np.dtype("i8"): (types.intp, ir.IntType(64)),
    np.dtype("f4"): (types.float32, ir.FloatType()),
    np.dtype("f8"): (types.float64, ir.DoubleType()),
}


@infer_getattr
class _RecordAttributes(AttributeTemplate):
    key = Record

    def generic_resolve(self, record: Record, name: str) -> types.Type | None:
        """Type of a field; `address` is the record's own address."""
        if name == "address":
            return types.intp
        fields: Any = record.dtype.fields or {}
        return _FIELD_TYPES[fields[name][0]][0] if name in fields else None


@lower_getattr_generic(Record)
def _lower_field(context: Any, builder: ir.IRBuilder, record: Record, value: ir.Value, name: str) -> ir.Value:
    if name == "address":
        return value
    assert record.dtype.fields is not None
    dtype, offset = record.dtype.fields[name][:2]
    address = builder.add(value, ir.Constant(ir.IntType(64), offset))
    return builder.load(builder.inttoptr(address, ir.PointerType()), typ=_FIELD_TYPES[dtype][1])
