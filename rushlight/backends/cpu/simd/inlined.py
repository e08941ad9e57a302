"""Functions that kernels call: Numba types and lowers each once, LLVM puts them into their callers.

Numba's own ``inline="always"`` copies a callee's untyped code into every caller, and what that calls again
and again, which takes most of the time of a compilation. Nothing lowered here is to run in this process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.cpu import CPUContext
from numba.core.registry import CPUDispatcher, CPUTarget


class _Library(AOTCodeLibrary):
    """LLVM code as it was lowered: it is optimized once, for a target, when the kernel is whole."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass


class _Codegen(AOTCPUCodegen):
    _library_class = _Library


class _Context(CPUContext):
    def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:
        """A key for a compiled function: Numba wants a built-in one, which it never calls."""
        return [].append


class KernelTarget(CPUTarget):
    """Numba's CPU target with code that is kept, not run."""

    @cached_property
    def target_context(self) -> CPUContext:
        """What lowers kernels and the functions that they call."""
        codegen = _Codegen("kernels")
        return _Context(self.typing_context, "cpu").subtarget(_internal_codegen=codegen, aot_mode=True)


KERNEL_TARGET = KernelTarget("cpu")


class _KernelFunction(CPUDispatcher):
    targetdescr = KERNEL_TARGET


def inlined(function: Callable[..., Any]) -> Any:
    """Make a Python function callable from kernels; constants that shape its code are its free variables."""
    options = {
        "nopython": True,
        "forceinline": True,
        "error_model": "numpy",
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    return _KernelFunction(function, targetoptions=options)
