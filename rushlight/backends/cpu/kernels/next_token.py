"""The two ops that let a program go on with the tokens that it has chosen, without Python in between.

They follow `argmax` where several steps are wanted (see `token_loop`). What comes behind the last op is
decided in the op before it: every thread reads that before it comes to the last barrier.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.work import inline, take
from rushlight.backends.cpu.records import AGAIN, NEXT_TOKEN, OP_BYTES, offset
from rushlight.backends.cpu.simd import load_i32, load_i64, store_i32, store_i64
from rushlight.backends.cpu.target import Target

_Y, _N_LEFT = offset(NEXT_TOKEN, "y"), offset(NEXT_TOKEN, "n_left")


@inline
def _goes_on(op, place):
    """Whether a step may follow the one that gave this place."""
    goes_on = 0 <= place < op.n
    for i in range(op.n_ends):
        if load_i64(op.ends + 8 * i) == place:
            goes_on = False
    return goes_on


def choose(op, step, thread, n_threads):
    """Write the places of the highest logits down; say whether another step comes behind `follow`."""
    if take(op) == 0:
        again = op.n_left > 1 and op.hurry == 0
        for row in range(step.n_outputs):
            place = load_i64(op.x + row * op.x_stride)
            store_i64(op.y + 8 * row, place)
            again = again and _goes_on(op, place)
        store_i64(op.address + _Y, op.y + 8 * step.n_outputs)
        store_i64(op.address + _N_LEFT, op.n_left - 1)
        end = op.address + 2 * OP_BYTES
        if again:
            store_i64(end, AGAIN)
        else:
            store_i64(end, 0)


def follow(op, step, thread, n_threads):
    """Each sequence's next token is the one that was chosen, at the next position."""
    row = take(op)
    while row < step.n_outputs:
        place, position = load_i64(op.x + row * op.x_stride), step.positions + 4 * row
        store_i32(step.token_ids + 4 * row, types.int32(place))
        store_i32(position, load_i32(position) + types.int32(1))
        row = take(op)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """Both ops, by name."""
    return {"choose": choose, "follow": follow}
