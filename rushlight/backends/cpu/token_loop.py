"""The end of a program: where it stops, or begins anew with the tokens that it has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import ARGMAX_RESULT, DRAW, NEXT_TOKEN, OP_BYTES, TOP, in_program, offset
from rushlight.backends.tensors import Int64Array
from rushlight.drawing import MOST_OF_TOP, Draw
from rushlight.portable_math import N_COLUMNS, powers_of_two

LOOP_KERNELS = ("draw_sums", "choose", "follow")
TAIL_RECORDS = len(LOOP_KERNELS) + 1
"""The ops, and what says how the program ends."""

_VECTOR = 8


class LoopInputs(NamedTuple):
    """What the ops read of a program.

    Attributes:
        logits: address of the first output's.
        row_bytes: from one output to the next.
        n_vocab: logits of an output.
        n_embeddings: token ids that may be looked up.
        argmax: address of the `ARGMAX_RESULT` of the first output; the others follow it.
    """

    logits: int
    row_bytes: int
    n_vocab: int
    n_embeddings: int
    argmax: int


class TokenLoop:
    """Lets a program of one token a sequence run several steps in one call.

    Without `begin` the program ends before these ops.

    Args:
        tail: uint8 [TAIL_RECORDS * OP_BYTES], zeros behind the last op of the program.
        library: holds `LOOP_KERNELS`.
        inputs: what the program computes.
        n_sequences: most sequences of a step.
        n_steps: most steps of a call.
    """

    def __init__(
        self,
        tail: npt.NDArray[np.uint8],
        library: KernelLibrary,
        inputs: LoopInputs,
        n_sequences: int,
        n_steps: int,
    ) -> None:
        places = np.zeros(n_steps * n_sequences, np.int64)
        numbers, draws = np.zeros(n_steps * n_sequences), np.zeros(n_sequences, DRAW)
        sums, top, table = np.zeros((n_sequences, N_COLUMNS)), np.zeros(1, TOP), powers_of_two()
        weights = np.zeros(max(-(-inputs.n_vocab // N_COLUMNS), MOST_OF_TOP) + _VECTOR)
        self._numbers, self._all_draws, self._kept = numbers, draws, (sums, weights, top, table)
        ops = tail.view(in_program(NEXT_TOKEN))[: len(LOOP_KERNELS)]
        ops["kernel"][1:] = [library.addresses[name] for name in LOOP_KERNELS[1:]]
        ops["x"], ops["x_stride"], ops["n"] = inputs.logits, inputs.row_bytes, inputs.n_vocab
        ops["best"], ops["best_stride"] = inputs.argmax, ARGMAX_RESULT.itemsize
        ops["n_ids"] = inputs.n_embeddings
        arrays = {"draws": draws, "sums": sums, "weights": weights, "top": top, "table": table}
        for name, array in arrays.items():
            ops[name] = array.ctypes.data
        self._first = library.addresses[LOOP_KERNELS[0]]
        self._places_address: int = places.ctypes.data
        self._numbers_address: int = numbers.ctypes.data
        self._end_ids: Int64Array | None = None
        self._draws = False
        # Single numbers are read and written faster in a memoryview than as fields of an array.
        self._places = places.data
        self._words = tail[: 2 * OP_BYTES].view(np.int64).data
        names = ("y", "numbers", "n_left", "hurry", "ends", "n_ends")
        self._y, self._next_numbers, self._n_left, self._hurry, self._ends, self._n_ends = (
            (OP_BYTES + offset(NEXT_TOKEN, name)) // 8 for name in names
        )

    def begin(self, n_steps: int, end_ids: Int64Array, draws: Sequence[Draw | None]) -> None:
        """Let the next call run several steps; see `backends.base.Executor.decode`."""
        words = self._words
        if end_ids is not self._end_ids:
            words[self._ends], words[self._n_ends] = end_ids.ctypes.data, len(end_ids)
            self._end_ids = end_ids
        if draws or self._draws:
            self._set_draws(n_steps, draws)
        words[self._y], words[self._n_left] = self._places_address, n_steps
        words[self._next_numbers] = self._numbers_address
        words[0] = self._first

    def _set_draws(self, n_steps: int, draws: Sequence[Draw | None]) -> None:
        self._draws = bool(draws)
        self._all_draws["temperature"] = 0.0
        numbers = self._numbers[: n_steps * len(draws)].reshape(n_steps, len(draws))
        for s, draw in enumerate(draws):
            if draw is not None:
                self._all_draws[s] = draw.temperature, draw.top_k, draw.top_p, draw.min_p
                numbers[:, s] = draw.numbers

    def hurry(self) -> None:
        """Let the call that runs, or else the next one, end behind its step. Any thread may call this."""
        self._words[self._hurry] = 1

    def finish(self, n_steps: int, n_sequences: int) -> list[list[int]]:
        """The tokens of each step that the call has run, of the `n_steps` that it was allowed."""
        words = self._words
        words[0] = words[self._hurry] = 0
        n = (n_steps - words[self._n_left]) * n_sequences
        places = self._places[:n].tolist()
        return [places[start : start + n_sequences] for start in range(0, n, n_sequences)]
