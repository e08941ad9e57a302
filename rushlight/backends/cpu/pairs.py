"""What a kernel on pairs of lanes (`simd.gathers`) calls and each target defines: dot products.

All definitions give the same integers.
"""

from __future__ import annotations

from llvmlite import ir

from rushlight.backends.cpu.dots import call

_I8, _I16, _I32 = (ir.IntType(bits) for bits in (8, 16, 32))
_BYTES, _SUMS = ir.VectorType(_I8, 64), ir.VectorType(_I32, 16)

DOT_PAIRS = "rl.dot_pairs"
DOT_PAIRS_TYPE = ir.FunctionType(_SUMS, [_SUMS, _BYTES, _BYTES])
"""``dot_pairs(sums, weights, activations)``; weights are from 0 to 63."""

_INSTRUCTIONS: dict[str, tuple[str, int]] = {
    "avxvnni": ("llvm.x86.avx512.vpdpbusd.256", 8),
    "avx512vnni": ("llvm.x86.avx512.vpdpbusd.512", 16),
    "neon": ("llvm.aarch64.neon.sdot.v4i32.v16i8", 4),
    "i8mm": ("llvm.aarch64.neon.sdot.v4i32.v16i8", 4),
}


def _begin(module: ir.Module, name: str, kind: ir.FunctionType) -> tuple[ir.Function, ir.IRBuilder]:
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    return function, ir.IRBuilder(function.append_basic_block())


def _indices(lanes: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(lanes)), lanes)


def _pairs_of_16_bits(builder: ir.IRBuilder, weights: ir.Value, activations: ir.Value) -> ir.Value:
    """AVX2's products: pairs added in 16 bits, and these in 32."""
    words, sums = ir.VectorType(_I16, 16), ir.VectorType(_I32, 8)
    pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", words, weights, activations)
    return call(builder, "llvm.x86.avx2.pmadd.wd", sums, pairs, ir.Constant(words, [1] * 16))


def _plain(builder: ir.IRBuilder, total: ir.Value, weights: ir.Value, activations: ir.Value) -> ir.Value:
    wide = ir.VectorType(_I32, 64)
    products = builder.mul(builder.zext(weights, wide), builder.sext(activations, wide))
    for byte in range(4):
        lanes = _indices(list(range(byte, 64, 4)))
        total = builder.add(total, builder.shuffle_vector(products, products, lanes))
    return total


def define_dot_pairs(module: ir.Module, instructions: str) -> None:
    """Define ``rl.dot_pairs`` in `module` with the instructions of a key of `dots.DOTS`."""
    function, builder = _begin(module, DOT_PAIRS, DOT_PAIRS_TYPE)
    total, weights, activations = function.args
    if instructions == "scalar":
        builder.ret(_plain(builder, total, weights, activations))
        return
    name, lanes = _INSTRUCTIONS.get(instructions, ("", 8))
    parts = []
    for start in range(0, 16, lanes):
        own = builder.shuffle_vector(total, total, _indices(list(range(start, start + lanes))))
        chosen = _indices(list(range(4 * start, 4 * (start + lanes))))
        w, a = (builder.shuffle_vector(v, v, chosen) for v in (weights, activations))
        if name:
            parts.append(call(builder, name, own.type, own, w, a))
        else:
            parts.append(builder.add(own, _pairs_of_16_bits(builder, w, a)))
    while len(parts) > 1:
        both = _indices(list(range(2 * parts[0].type.count)))
        parts = [builder.shuffle_vector(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    builder.ret(parts[0])
