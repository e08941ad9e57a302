"""Python function in, object file out: Numba types and lowers a kernel, LLVM makes code for a target.

Importing this imports Numba, which takes a second, so it is imported only where a kernel is missing from the
cache, in a process of its own (`worker`). Numba lowers for no processor in particular; everything that
depends on the target happens here. The same sources give the same bytes, in any process and any order.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock

from rushlight.backends.cpu.definitions import PAUSE, define_dot, define_pause
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.lookups import LOOKUP, define_lookup
from rushlight.backends.cpu.object_formats import TRIPLES, symbol
from rushlight.backends.cpu.pairs import DOT_PAIRS, define_dot_pairs
from rushlight.backends.cpu.records import STEP
from rushlight.backends.cpu.simd.inlined import KERNEL_TARGET
from rushlight.backends.cpu.simd.types import Record
from rushlight.backends.cpu.target import Target

_DOT = re.compile(r'declare [^@]*@"?rl\.(memory_dot|dot)\.(\w+)\.(\d+)"?\(')
_HOST = re.compile(
    r'"(?:target-cpu|target-features|tune-cpu)"="[^"]*"|^target (?:triple|datalayout) = .*$', re.MULTILINE
)
_DEFINITIONS: dict[str, Callable[[ir.Module, Target], None]] = {
    PAUSE: lambda module, target: define_pause(module, target.machine),
    LOOKUP: lambda module, target: define_lookup(module, target.dots),
    DOT_PAIRS: lambda module, target: define_dot_pairs(module, target.dots),
}
"""What kernels leave undefined beside dot products, by symbol."""
PAGE_BYTES, MOST_PAGES = 4096, 16
"""No kernel has more than so many pages on the stack."""
_ANY = np.dtype([("kernel", "i8"), ("next", "i8")])


def _signature(record: np.dtype[np.void] | None, name: str) -> list[types.Type]:
    op = Record(_ANY if record is None else record, name)
    return [op, Record(STEP, "step"), types.intp, types.intp]


@global_compiler_lock
def lower_kernel(name: str, target: Target) -> tuple[str, str]:
    """LLVM assembly of a kernel, and the name that Numba gave its function.

    Args:
        name: a key of `KERNELS`.
        target: whose tiles to use; the assembly is for no processor yet.
    """
    source = KERNELS[name]
    module = importlib.import_module(f"rushlight.backends.cpu.kernels.{source.module}")
    flags = Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    typing_context, context = KERNEL_TARGET.typing_context, KERNEL_TARGET.target_context
    typing_context.refresh()
    context.refresh()
    library = context.codegen().create_library(name)
    arguments = _signature(source.record, name)
    function = module.kernels(target)[name]
    result = compile_extra(
        typing_context, context, function, arguments, types.void, flags, {}, library=library
    )
    library.finalize()
    return _HOST.sub("", library.get_llvm_str()), result.fndesc.llvm_func_name


def _touch_pages(builder: ir.IRBuilder, top: ir.Value) -> None:
    """Touch page after page of the stack: Windows lets it grow by one at a time."""
    byte = ir.IntType(8)
    for page in range(1, MOST_PAGES + 1):
        place = builder.gep(top, [ir.Constant(ir.IntType(64), -PAGE_BYTES * page)], source_etype=byte)
        builder.load_atomic(place, "monotonic", 1, typ=byte)  # unlike a plain one, not left out


def _apart(text: str, inner: str) -> str:
    """Have a function stay one, on a stack whose pages have been touched before."""
    head = re.compile(rf'^(define [^\n]*@"?{re.escape(inner)}"?\([^\n]*)\{{$', re.MULTILINE)
    return head.sub(r'\1noinline alignstack(64) "no-stack-arg-probe" {', text)


def _entry(name: str, inner: str, touches_pages: bool) -> ir.Module:
    """A C function around Numba's, which returns a status and takes two pointers more."""
    module = ir.Module()
    pointer, word = ir.PointerType(), ir.IntType(64)
    callee = ir.Function(module, ir.FunctionType(ir.IntType(32), [pointer, pointer, *[word] * 4]), inner)
    entry = ir.Function(module, ir.FunctionType(ir.VoidType(), [word] * 4), symbol(name))
    # Vectors that registers do not hold shall not straddle cache lines, and pages even less.
    entry.attributes.add("nounwind")  # llvmlite writes the alignment only beside another attribute
    entry.attributes.alignstack = 64
    builder = ir.IRBuilder(entry.append_basic_block())
    slot = builder.alloca(pointer)
    if touches_pages:
        _touch_pages(builder, slot)
    builder.call(callee, [slot, ir.Constant(pointer, None), *entry.args])
    builder.ret_void()
    return module


def _link(name: str, lowered: tuple[str, str], target: Target, triple: str) -> llvm.ModuleRef:
    """The kernel with its C entry and the target's dot products, not yet optimized."""
    text, inner = lowered
    is_windows = "windows" in triple
    if is_windows:
        text = _apart(text, inner)
    prelude = _entry(name, inner, is_windows)
    prelude.triple = triple
    for dot, kind, rows in sorted(set(_DOT.findall(text))):
        define_dot(prelude, kind, int(rows), dot == "memory_dot", target.dots)
    for symbol_used, define in _DEFINITIONS.items():
        if f"@{symbol_used}(" in text or f'@"{symbol_used}"(' in text:
            define(prelude, target)
    module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
    module.link_in(llvm.parse_assembly(str(prelude).replace("define internal", "define")))
    # Only the entry is called from outside. Numba counts the functions that it has made into their names,
    # which shall not shape the object file.
    defined = [function for function in module.functions if not function.is_declaration]
    for i, function in enumerate(function for function in defined if function.name != symbol(name)):
        function.linkage, function.name = "internal", f"f{i}"
    for i, variable in enumerate(v for v in module.global_variables if not v.is_declaration):
        variable.linkage, variable.name = "internal", f"v{i}"
    module.name = name
    module.verify()
    return module


def emit_kernel(
    name: str, lowered: tuple[str, str], target: Target, format: str, assembly: bool = False
) -> bytes:
    """Make the object file of a lowered kernel; the arguments are those of `compile_kernel`."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = TRIPLES[format][target.machine]
    module = _link(name, lowered, target, triple)
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
    )
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    llvm.create_pass_builder(machine, tuning).getModulePassManager().run(
        module, llvm.create_pass_builder(machine, tuning)
    )
    return machine.emit_assembly(module).encode() if assembly else bytes(machine.emit_object(module))


def compile_kernel(name: str, target: Target, format: str, assembly: bool = False) -> bytes:
    """Make the object file of a kernel.

    Args:
        name: a key of `KERNELS`.
        target: whose code to make; any target, whatever this machine is.
        format: a key of `TRIPLES`: elf, macho or coff.
        assembly: give assembly text instead, to be read by people.
    """
    return emit_kernel(name, lower_kernel(name, target), target, format, assembly)
