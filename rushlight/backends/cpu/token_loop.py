"""The end of a program: where it stops, or begins anew with the tokens that it has chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Int64Array
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import ARGMAX_RESULT, NEXT_TOKEN, OP_BYTES, in_program, offset

LOOP_KERNELS = ("choose", "follow")
TAIL_RECORDS = len(LOOP_KERNELS) + 1
"""Both ops, and what says how the program ends."""


class TokenLoop:
    """Lets a program of one token a sequence run several steps in one call.

    Without `begin` the program ends before these ops.

    Args:
        tail: uint8 [TAIL_RECORDS * OP_BYTES], zeros behind the last op of the program.
        library: holds `LOOP_KERNELS`.
        argmax: address of the `ARGMAX_RESULT` of the first output; the others follow it.
        n_embeddings: token ids that may be looked up.
        n_most: most tokens of a call, over all its steps and sequences.
    """

    def __init__(
        self, tail: npt.NDArray[np.uint8], library: KernelLibrary, argmax: int, n_embeddings: int, n_most: int
    ) -> None:
        places = np.zeros(n_most, np.int64)
        ops = tail.view(in_program(NEXT_TOKEN))
        ops["kernel"][1] = library.addresses["follow"]
        ops["x"][:2], ops["x_stride"][:2], ops["n"][:2] = argmax, ARGMAX_RESULT.itemsize, n_embeddings
        self._choose = library.addresses["choose"]
        self._places_address: int = places.ctypes.data
        self._end_ids: Int64Array | None = None
        # Single numbers are read and written faster as words than as fields of an array.
        self._places = places.data
        self._words = tail[:OP_BYTES].view(np.int64).data
        names = ("kernel", "y", "n_left", "hurry", "ends", "n_ends")
        self._kernel, self._y, self._n_left, self._hurry, self._ends, self._n_ends = (
            offset(NEXT_TOKEN, name) // 8 for name in names
        )

    def begin(self, n_steps: int, end_ids: Int64Array) -> None:
        """Let the next call run up to `n_steps` steps; none behind one that gives an id of `end_ids`."""
        words = self._words
        if end_ids is not self._end_ids:
            words[self._ends], words[self._n_ends] = end_ids.ctypes.data, len(end_ids)
            self._end_ids = end_ids
        words[self._y], words[self._n_left] = self._places_address, n_steps
        words[self._kernel] = self._choose

    def hurry(self) -> None:
        """Let the call that runs, or else the next one, end behind its step. Any thread may call this."""
        self._words[self._hurry] = 1

    def finish(self, n_steps: int, n_sequences: int) -> list[list[int]]:
        """The tokens of each step that the call has run, of the `n_steps` that it was allowed."""
        words = self._words
        words[self._kernel] = words[self._hurry] = 0
        n = (n_steps - words[self._n_left]) * n_sequences
        places = self._places[:n].tolist()
        return [places[start : start + n_sequences] for start in range(0, n, n_sequences)]
