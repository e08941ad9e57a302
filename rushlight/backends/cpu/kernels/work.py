"""How threads share an op's work: each takes the next piece from the op's counter until none is left."""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.atomics import fetch_add
from rushlight.backends.cpu.simd import load_i32, load_i64
from rushlight.backends.cpu.simd.inlined import inlined

inline = inlined


@inline
def take(op):
    """The next piece of work of an op; the counter is the record's second field."""
    return fetch_add(op.address + 8, 1)


@inline
def row_count(step, rows):
    """Rows of an op: the step's tokens or its outputs, the first two fields of the step record."""
    return load_i64(step.address + 8 * rows)


@inline
def sequence_count(step):
    """Sequences of the step, numbered from 0 in the order of its tokens."""
    return types.intp(load_i32(step.token_seq + 4 * (step.n_tokens - 1))) + 1


@inline
def smaller(a, b):
    """The smaller of two integers (the built-in `min` would bring compiled code of its own)."""
    result = a
    if b < a:
        result = b
    return result


@inline
def larger(a, b):
    """The larger of two numbers."""
    result = a
    if b > a:
        result = b
    return result


@inline
def take_run(op, n_items, n_threads, least):
    """Where the next run of an op's items begins and ends; it begins at `n_items` or behind if none is left.

    Of what is left each thread gets half of its share, then half of its share of the rest, down to `least`
    items (factoring: Hummel, Schonberg and Flynn, 1992). Long runs come first, because memory gives most to a
    thread that reads on for long; short ones last, so that no thread waits long for another.
    """
    run, start, size = take(op), 0, larger(least, n_items // (2 * n_threads))
    while run >= n_threads and size > least:
        start += size * n_threads
        run -= n_threads
        size = larger(least, (n_items - start) // (2 * n_threads))
    start += run * size
    return start, smaller(n_items, start + size)
