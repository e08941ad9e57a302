"""Loads and stores by address. Vectors need no alignment."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rushlight.backends.cpu.simd.types import f32x16, i8x16, i8x64, i32x16

_POINTER = ir.PointerType()
_I32 = ir.IntType(32)


def _indices(lanes: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(lanes)), lanes)


def _read(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type, align: int = 1) -> ir.Value:
    return builder.load(builder.inttoptr(address, _POINTER), align=align, typ=kind)


def _loader(numba_type: types.Type, kind: ir.Type) -> Any:
    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        return numba_type(types.intp), lambda context, builder, sig, args: _read(builder, args[0], kind)

    return load


def _storer(numba_type: types.Type) -> Any:
    @intrinsic
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            builder.store(args[1], builder.inttoptr(args[0], _POINTER), align=1)
            return context.get_dummy_value()

        return types.void(types.intp, numba_type), generate

    return store


load_i8x64, load_f32x16 = _loader(i8x64, i8x64.ir_type), _loader(f32x16, f32x16.ir_type)
load_f64, store_f64 = _loader(types.float64, ir.DoubleType()), _storer(types.float64)
load_f32, load_i32 = _loader(types.float32, ir.FloatType()), _loader(types.int32, _I32)
load_i64 = _loader(types.intp, ir.IntType(64))
store_i8x64, store_f32x16, store_f32 = _storer(i8x64), _storer(f32x16), _storer(types.float32)
store_i32, store_i64 = _storer(types.int32), _storer(types.intp)


@intrinsic(prefer_literal=True)
def local_bytes(typing_context: Any, size: Any) -> Any:
    """The address of `size` bytes (a constant) on the stack, the same each time a kernel comes here."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    kind = ir.ArrayType(ir.IntType(8), size.literal_value)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        with builder.goto_entry_block():
            place = builder.alloca(kind)
        place.align = 64
        return builder.ptrtoint(place, ir.IntType(64))

    return types.intp(size), generate


def _prefetcher(locality: int) -> Any:
    @intrinsic
    def prefetch(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            name, read, data = "llvm.prefetch.p0", 0, 1
            kind = ir.FunctionType(ir.VoidType(), [_POINTER, _I32, _I32, _I32])
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            hints = [ir.Constant(_I32, hint) for hint in (read, locality, data)]
            builder.call(function, [builder.inttoptr(args[0], _POINTER), *hints])
            return context.get_dummy_value()

        return types.void(types.intp), generate

    return prefetch


# Bring the cache line at an address to the first cache, or to the second; any address is allowed.
prefetch, prefetch_second = _prefetcher(3), _prefetcher(2)


@intrinsic
def load_f16x16(typing_context: Any, address: Any) -> Any:
    """16 halves, widened to float32."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        halves = _read(builder, args[0], ir.VectorType(ir.HalfType(), 16))
        return builder.fpext(halves, f32x16.ir_type)

    return f32x16(types.intp), generate


@intrinsic
def load_f16(typing_context: Any, address: Any) -> Any:
    """A half, widened to float32."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.fpext(_read(builder, args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.intp), generate


@intrinsic
def load_bf16(typing_context: Any, address: Any) -> Any:
    """A bfloat16, widened to float32."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        bits = builder.zext(_read(builder, args[0], ir.IntType(16)), _I32)
        return builder.bitcast(builder.shl(bits, ir.Constant(_I32, 16)), ir.FloatType())

    return types.float32(types.intp), generate


@intrinsic
def load_bf16x16(typing_context: Any, address: Any) -> Any:
    """16 bfloat16, widened to float32."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        bits = builder.zext(_read(builder, args[0], ir.VectorType(ir.IntType(16), 16)), i32x16.ir_type)
        return builder.bitcast(builder.shl(bits, ir.Constant(i32x16.ir_type, [16] * 16)), f32x16.ir_type)

    return f32x16(types.intp), generate


def _unsigned(bits: int) -> tuple[Any, Any]:
    """Load and store of unsigned integers of `bits` bits, held as intp."""
    kind, word = ir.IntType(bits), ir.IntType(64)

    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return builder.zext(_read(builder, args[0], kind), word)

        return types.intp(types.intp), generate

    @intrinsic
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            builder.store(builder.trunc(args[1], kind), builder.inttoptr(args[0], _POINTER), align=1)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), generate

    return load, store


load_u8, store_u8 = _unsigned(8)
load_u16, store_u16 = _unsigned(16)
load_u32, store_u32 = _unsigned(32)


@intrinsic
def load_s8x16(typing_context: Any, address: Any) -> Any:
    """16 signed bytes, widened to int32."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.sext(_read(builder, args[0], i8x16.ir_type), i32x16.ir_type)

    return i32x16(types.intp), generate


@intrinsic
def store_i8x16(typing_context: Any, address: Any, value: Any) -> Any:
    """The low byte of each of 16 int32 lanes."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        narrow = builder.trunc(args[1], i8x16.ir_type)
        builder.store(narrow, builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, i32x16), generate


@intrinsic
def store_f16(typing_context: Any, address: Any, value: Any) -> Any:
    """A float32, rounded to the nearest half."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        half = builder.fptrunc(args[1], ir.HalfType())
        builder.store(half, builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, types.float32), generate


@intrinsic
def store_f16x16(typing_context: Any, address: Any, value: Any) -> Any:
    """16 float32, each rounded to the nearest half."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        halves = builder.fptrunc(args[1], ir.VectorType(ir.HalfType(), 16))
        builder.store(halves, builder.inttoptr(args[0], _POINTER), align=1)
        return context.get_dummy_value()

    return types.void(types.intp, f32x16), generate


def _lane_storer(bits: int) -> Any:
    """Store of each lane of a float32 vector, rounded to `bits`, ``stride`` bytes from one to the next."""
    word = ir.IntType(bits)

    @intrinsic
    def store(typing_context: Any, address: Any, stride: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            place, stride, lanes = args
            if bits == 16:
                lanes = builder.fptrunc(lanes, ir.VectorType(ir.HalfType(), 16))
            lanes = builder.bitcast(lanes, ir.VectorType(word, 16))
            for i in range(16):
                lane = builder.extract_element(lanes, ir.Constant(_I32, i))
                builder.store(lane, builder.inttoptr(place, _POINTER), align=1)
                place = builder.add(place, stride)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, f32x16), generate

    return store


store_f16_lanes, store_f32_lanes = _lane_storer(16), _lane_storer(32)


def _first_lanes(builder: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """A mask of the first `count` lanes."""
    narrow = builder.trunc(count, _I32)
    one = builder.insert_element(ir.Constant(i32x16.ir_type, ir.Undefined), narrow, ir.Constant(_I32, 0))
    splat = builder.shuffle_vector(one, ir.Constant(i32x16.ir_type, ir.Undefined), _indices([0] * 16))
    return builder.icmp_signed("<", ir.Constant(i32x16.ir_type, list(range(16))), splat)


@intrinsic
def load_f32_partial(typing_context: Any, address: Any, count: Any) -> Any:
    """The first `count` (0 to 16) lanes from memory, the others 0 and not read."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        vector, mask_type = f32x16.ir_type, ir.VectorType(ir.IntType(1), 16)
        kind = ir.FunctionType(vector, [_POINTER, _I32, mask_type, vector])
        function = builder.module.declare_intrinsic("llvm.masked.load.v16f32.p0", (), kind)
        zero = ir.Constant(vector, [0.0] * 16)
        pointer = builder.inttoptr(args[0], _POINTER)
        return builder.call(function, [pointer, ir.Constant(_I32, 4), _first_lanes(builder, args[1]), zero])

    return f32x16(types.intp, types.intp), generate


@intrinsic
def store_f32_partial(typing_context: Any, address: Any, value: Any, count: Any) -> Any:
    """The first `count` (0 to 16) lanes to memory; the bytes of the others are not touched."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        vector, mask_type = f32x16.ir_type, ir.VectorType(ir.IntType(1), 16)
        kind = ir.FunctionType(ir.VoidType(), [vector, _POINTER, _I32, mask_type])
        function = builder.module.declare_intrinsic("llvm.masked.store.v16f32.p0", (), kind)
        pointer = builder.inttoptr(args[0], _POINTER)
        builder.call(function, [args[1], pointer, ir.Constant(_I32, 4), _first_lanes(builder, args[2])])
        return context.get_dummy_value()

    return types.void(types.intp, f32x16, types.intp), generate


def _shuffler(lanes: list[int]) -> Any:
    @intrinsic
    def shuffle(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return builder.shuffle_vector(args[0], args[1], _indices(lanes))

        return f32x16(f32x16, f32x16), generate

    return shuffle


even_lanes = _shuffler(list(range(0, 32, 2)))
odd_lanes = _shuffler(list(range(1, 32, 2)))
interleave_low = _shuffler([lane for i in range(8) for lane in (i, 16 + i)])
interleave_high = _shuffler([lane for i in range(8, 16) for lane in (i, 16 + i)])
