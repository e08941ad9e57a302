"""Types that hold places in a codebook: where things are in a packed block, and 8 of its columns as vectors.

A block begins with 16 half scales and then half bytes of scales s, which stand for ``2 s + 1``, two in a
byte: those of 16 columns and the next 16 (IQ1, IQ2_XS, IQ2_S), or of 32 and the next 32. Each 32 columns have
16 bytes of places for each 8 columns, a byte of each row, and 16 of their upper bits; IQ3 has 32 bytes for
each 8 columns, as its entries are of 4, in the order of `simd.gathers`, and a ninth bit for each of these.
Then come 64 bytes of signs, for each 8 columns a byte of each row. IQ1 has no signs, but 16 bits for 32
columns: for each 8 of them 3 upper bits and one that tells whether 1 is taken from the levels (times 8) or
added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import codebook_nibbles, codebook_words
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import below, splat_i32
from rushlight.backends.cpu.simd.gathers import (
    gather_eights,
    gather_fours,
    negate_by,
    or_where,
    store_i16x16,
    whole_places,
    written,
)
from rushlight.backends.cpu.simd.permutes import nibble_pair, permute_fours
from rushlight.backends.cpu.simd.tables import bit_field, load_u8x16, load_u16x16
from rushlight.quants.codebooks import CODEBOOKS

LEAST_SHIFTED = -9
"""The least shifted level of IQ1, times 8; it is taken off to have none below 0."""

PLACES_BYTES = 2048
"""Most places of 16 bits that 256 columns of 16 rows have, in bytes."""


@dataclass(frozen=True)
class Codebook:
    """A type that holds places in a codebook.

    Attributes:
        codebook: a key of `CODEBOOKS`.
        columns: of an entry, 4 or 8.
        upper: bits of a place above the first 8.
        n_bytes: those of 32 columns.
        run: columns with a scale, 16 or 32.
        factor: of the scale of scales.
    """

    codebook: str
    columns: int
    upper: int
    n_bytes: int
    run: int
    factor: float

    @property
    def is_shifted(self) -> bool:
        """Whether levels are shifted instead of signed (IQ1)."""
        return self.upper == 3

    @property
    def offset(self) -> int:
        """What is added to its numbers when they are unpacked, so that none is negative: 16 or 64."""
        return 16 if max(CODEBOOKS[self.codebook].levels) < 16 else 64

    @property
    def first_block(self) -> int:
        """Where the first 32 columns are."""
        return 32 + 128 * 16 // self.run

    @property
    def place_bytes(self) -> int:
        """Bytes of the places of 32 columns, 16 bits each."""
        return 16 * 64 // self.columns

    @property
    def signs(self) -> int:
        """Where the signs of 32 columns are."""
        return self.n_bytes - 64


CODEBOOK_FORMATS: dict[str, Codebook] = {
    "iq1_s": Codebook("IQ1_S", 8, 3, 96, 16, 0.125),
    "iq1_m": Codebook("IQ1_S", 8, 3, 96, 16, 0.125),
    "iq2_xxs": Codebook("IQ2_XXS", 8, 0, 128, 32, 0.125),
    "iq2_xs": Codebook("IQ2_XS", 8, 2, 144, 16, 0.125),
    "iq2_s": Codebook("IQ2_S", 8, 2, 144, 16, 0.125),
    "iq3_xxs": Codebook("IQ3_XXS", 4, 0, 192, 32, 0.25),
    "iq3_s": Codebook("IQ3_S", 4, 1, 208, 32, 1.0),
}


def places_writer(book: Codebook) -> Any:
    """The function that writes the places of a block with their upper bits, 16 bits each."""
    first_block, n_bytes, n_upper, place_bytes = (
        book.first_block, book.n_bytes, book.upper, book.place_bytes,
    )  # fmt: skip
    load_upper, step = (load_u16x16, 4) if book.is_shifted else (load_u8x16, n_upper)

    def appended(before: Any, i: int) -> Any:
        first = step * i

        @inline
        def write(q, upper, target):
            before(q, upper, target)
            store_i16x16(target + 32 * i, load_u8x16(q + 16 * i) + bit_field(upper, first, n_upper, 8))

        return write

    @inline
    def none(q, upper, target):
        pass

    eights = none
    for i in range(4):
        eights = appended(eights, i)

    @inline
    def of_eight(q, target):
        eights(q, load_upper(q + 64), target)

    @inline
    def of_four(q, target):
        for i in range(8):
            whole_places(target + 32 * i, q + 16 * i, q + 128 + 2 * i)

    write_32 = of_eight if book.columns == 8 else of_four

    @inline
    def write_places(w, target):
        if n_upper > 0:
            for block in range(8):
                write_32(w + first_block + n_bytes * block, target + place_bytes * block)
            written(target)

    return write_places


def source_maker(book: Codebook, in_registers: bool) -> Any:
    """The function that gives what the entries of 32 columns are made from: their places, or their words."""
    size = 16 if book.upper else 8

    @inline
    def in_bytes(q, places):
        return q

    @inline
    def in_words(q, places):
        return places

    where = in_words if book.upper else in_bytes
    if not _is_permuted(book, in_registers):
        return where
    table, _ = codebook_nibbles(book.codebook)
    permuted = permute_fours(size, 256 << book.upper)

    @inline
    def words(q, places):
        return permuted(table(), where(q, places))

    return words


def _is_permuted(book: Codebook, in_registers: bool) -> bool:
    """Whether entries are looked up in registers; large tables are not."""
    return in_registers and book.columns == 4


def _gathered(book: Codebook, i: int) -> Any:
    """The function that looks up 8 of 32 columns, a pair of vectors, one by one."""
    words, size = codebook_words(book.codebook, 8 * book.is_shifted), 16 if book.upper else 8
    low, high = gather_eights[size] if book.columns == 8 else gather_fours[size]
    first = i * 16 * size // book.columns

    @inline
    def entries(places):
        table = words()
        a = low(table, places + first)
        # Left alone, the compiler loads all places before it looks up the first, and runs out of registers.
        written(places)
        b = high(table, places + first)
        written(places)
        return a, b

    return entries


def weights_maker(book: Codebook, i: int, in_registers: bool) -> Any:
    """The function that gives 8 of 32 columns, a pair of vectors without signs, from their source."""
    minus, gathered = 4 * i + 3, _gathered(book, i)

    @inline
    def plain(q, source):
        return gathered(source)

    @inline
    def shifted(q, source):
        is_plus = below(bit_field(load_u16x16(q + 64), minus, 1, 0), splat_i32(1))
        return or_where(gathered(source), is_plus, 2)

    if not _is_permuted(book, in_registers):
        return shifted if book.is_shifted else plain
    _, levels = codebook_nibbles(book.codebook)

    @inline
    def permuted(q, source):
        a, b = nibble_pair(source[i])
        return levels(a), levels(b)

    return permuted


def signs_giver(book: Codebook, i: int) -> Any:
    """The function that gives a pair of vectors the signs of 8 of 32 columns."""
    signs = book.signs + 16 * i

    @inline
    def signed(q, a, b):
        return negate_by(a, q + signs), negate_by(b, q + signs + 8)

    return signed
