"""How threads share an op's work: each begins with a piece of its own and takes the next from a counter."""

from __future__ import annotations

from numba import types

from rushlight.backends.cpu.kernels.atomics import fetch_add
from rushlight.backends.cpu.simd import load_i32, load_i64
from rushlight.backends.cpu.simd.inlined import inlined

inline = inlined

LEAST_GROUPS = 2
"""Groups of 16 rows in the shortest run of a matrix product: taking it costs a fraction of its time."""


@inline
def take(op, n_pieces, n_threads):
    """The next piece of an op's work for a thread that has done one; none is left at `n_pieces` or above.

    A thread begins with the piece of its own number, so an op with a piece for each thread or fewer, as most
    are for one token, shares nothing. The counter of the others is the record's second field.
    """
    if n_pieces <= n_threads:
        return n_pieces
    return n_threads + fetch_add(op.address + 8, 1)


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
def run_of(number, n_items, n_threads, least):
    """Where run number `number` of an op's items begins and ends; behind the last one at `n_items` or above.

    Of what is left each thread gets half of its share, then half of its share of the rest, down to `least`
    items (factoring: Hummel, Schonberg and Flynn, 1992). Long runs come first, because memory gives most to a
    thread that reads on for long; short ones last, so that no thread waits long for another. A thread begins
    with the run of its own number.
    """
    start, size = 0, larger(least, n_items // (2 * n_threads))
    while number >= n_threads and size > least:
        start += size * n_threads
        number -= n_threads
        size = larger(least, (n_items - start) // (2 * n_threads))
    start += number * size
    return start, smaller(n_items, start + size)


@inline
def take_run(op, n_items, n_threads, least):
    """The next run of an op's items for a thread that has done one; see `run_of`."""
    number = take(op, (n_items + least - 1) // least, n_threads)
    return run_of(number, n_items, n_threads, least)
