"""One row for each output token, of all the rows that its sequence has in the step."""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from rushlight.backends.cpu.kernels.work import inline, smaller, take
from rushlight.backends.cpu.simd import load_f32_partial, load_i32, splat_f32, store_f32_partial
from rushlight.backends.cpu.target import Target


@inline
def _rows_of(step, output):
    """The first row of an output token's sequence, and the row behind its last."""
    token = types.intp(load_i32(step.outputs + 4 * output))
    sequence = types.intp(load_i32(step.token_seq + 4 * token))
    place = step.query_start + 4 * sequence
    return types.intp(load_i32(place)), types.intp(load_i32(place + 4))


def sequence_first(op, step, thread, n_threads):
    """Copy the rows of the first tokens."""
    output = thread
    while output < step.n_outputs:
        start, _ = _rows_of(step, output)
        x, y = op.x + start * op.x_stride, op.y + output * op.y_stride
        for i in range(0, op.n, 16):
            count = smaller(16, op.n - i)
            store_f32_partial(y + 4 * i, load_f32_partial(x + 4 * i, count), count)
        output = take(op, step.n_outputs, n_threads)


def sequence_mean(op, step, thread, n_threads):
    """The means of the rows, added in the order of the tokens; one piece is 16 columns of an output."""
    runs = (op.n + 15) // 16
    piece = thread
    while piece < step.n_outputs * runs:
        output, i = piece // runs, piece % runs * 16
        start, stop = _rows_of(step, output)
        count = smaller(16, op.n - i)
        total = splat_f32(types.float32(0.0))
        for row in range(start, stop):
            total = total + load_f32_partial(op.x + row * op.x_stride + 4 * i, count)
        mean = total / splat_f32(types.float32(stop - start))
        store_f32_partial(op.y + output * op.y_stride + 4 * i, mean, count)
        piece = take(op, step.n_outputs * runs, n_threads)


def kernels(target: Target) -> dict[str, Callable[..., None]]:
    """The kernels, by name."""
    return {"sequence_first": sequence_first, "sequence_mean": sequence_mean}
