"""`RowMath` by kernels, on all threads of a team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.memory import Region, align
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import ARGMAX_PART, ARGMAX_RESULT, in_program
from rushlight.backends.cpu.runtime import Team
from rushlight.portable_math import N_COLUMNS, RUN, Float32Array, Float64Array, powers_of_two
from rushlight.row_math import NUMPY_ROWS, Argmax

ROW_KERNELS = ("argmax_parts", "argmax", "exp_scaled", "exp_column_sums", "run_maxima")
_SMALL = 32
"""Rows shorter than this are left to NumPy, which is faster there."""


class _Program:
    """A program whose ops read the same fields, which are set before each call."""

    def __init__(self, team: Team, library: KernelLibrary, kernels: tuple[str, ...], step: int) -> None:
        self._team, self._step = team, step
        dtype = KERNELS[kernels[0]].record
        assert dtype is not None
        self._ops = np.zeros(len(kernels) + 1, in_program(dtype))  # a zero record ends it
        self._ops["kernel"][:-1] = [library.addresses[kernel] for kernel in kernels]
        self._address: int = self._ops.ctypes.data
        self._n_ops = len(kernels)

    def __call__(self, fields: Mapping[str, float]) -> None:
        for name, value in fields.items():
            self._ops[name][: self._n_ops] = value
        self._team.run(self._address, self._step)


class CpuRowMath:
    """See `RowMath`; results are views of memory of its own.

    Args:
        team: whose threads compute; nobody else may use its programs meanwhile.
        library: holds `ROW_KERNELS`.
        n_most: length of the longest row; longer ones are left to NumPy.
    """

    def __init__(self, team: Team, library: KernelLibrary, n_most: int) -> None:
        n_parts = -(-n_most // ARGMAX_PART)
        self._n_most, self._library = n_most, library
        self._one_row = team.new_step()
        self._one_row["n_tokens"] = 1
        step = self._one_row.ctypes.data
        self._argmax = _Program(team, library, ("argmax_parts", "argmax"), step)
        self._exp_scaled = _Program(team, library, ("exp_scaled",), step)
        self._exp_column_sums = _Program(team, library, ("exp_column_sums",), step)
        self._run_maxima = _Program(team, library, ("run_maxima",), step)
        self._weights = Region(align(8 * n_most), "sampling")
        self._maxima = Region(4 * (n_most // RUN), "sampling")
        self._sums = Region(8 * N_COLUMNS, "sampling")
        self._parts = Region(4 * n_parts, "sampling")
        self._result = Region(ARGMAX_RESULT.itemsize, "sampling")

    def _suits(self, x: Float32Array) -> bool:
        return _SMALL <= len(x) <= self._n_most and x.dtype == np.float32 and x.flags.c_contiguous

    def argmax(self, x: Float32Array) -> Argmax:
        """See `RowMath.argmax`."""
        if not self._suits(x):
            return NUMPY_ROWS.argmax(x)
        fields = {"x": _address(x), "n": len(x), "parts": self._parts.address, "y": self._result.address}
        self._argmax(fields)
        return Argmax(*self._result.bytes.view(ARGMAX_RESULT)[0].item())

    def exp_scaled(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """See `RowMath.exp_scaled`."""
        if not self._suits(x):
            return NUMPY_ROWS.exp_scaled(x, offset, divisor)
        self._exp(self._exp_scaled, x, self._weights, offset, divisor)
        return self._weights.bytes.view(np.float64)[: len(x)]

    def exp_column_sums(self, x: Float32Array, offset: float, divisor: float) -> Float64Array:
        """See `RowMath.exp_column_sums`."""
        if not self._suits(x):
            return NUMPY_ROWS.exp_column_sums(x, offset, divisor)
        self._exp(self._exp_column_sums, x, self._sums, offset, divisor)
        return self._sums.bytes.view(np.float64)

    def _exp(self, program: _Program, x: Float32Array, y: Region, offset: float, divisor: float) -> None:
        places = {"x": _address(x), "y": y.address, "table": _address(powers_of_two())}
        program({**places, "n": len(x), "offset": offset, "divisor": divisor})

    def run_maxima(self, x: Float32Array) -> Float32Array:
        """See `RowMath.run_maxima`."""
        if not self._suits(x):
            return NUMPY_ROWS.run_maxima(x)
        self._run_maxima({"x": _address(x), "y": self._maxima.address, "n": len(x)})
        return self._maxima.bytes.view(np.float32)[: len(x) // RUN]


def _address(array: np.ndarray[Any, Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
