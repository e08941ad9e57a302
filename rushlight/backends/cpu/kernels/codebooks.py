"""Types that hold places in a codebook: where things are in a packed block, and 8 of its columns as vectors.

A block begins with 16 half scales and then half bytes of scales s, which stand for ``2 s + 1``, two in a
byte: those of 16 columns and the next 16 (IQ2_XS), or of 32 and the next 32. Then come, for each 32 columns,
places, ninth bits and signs.

Entries that are neighbours in a row are neighbours here: a run of 32 bytes has two places of each row. Where
places have ninth bits, each run has a mask of 32 bits behind all of them. Then come 64 bytes of signs, 4 of
each row, in the order of `simd.permutes`: bit i of a byte is the sign of that byte of vector i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rushlight.backends.cpu.kernels.codebook_tables import codebook_words
from rushlight.backends.cpu.kernels.unpacked import SCALES
from rushlight.backends.cpu.kernels.work import inline
from rushlight.backends.cpu.simd import load_f16x16, splat_f32, splat_i32, store_f32x16, to_f32
from rushlight.backends.cpu.simd.gathers import gather, negate_pair, unknown, whole_places, written
from rushlight.backends.cpu.simd.tables import bit_field, load_u8x16
from rushlight.quants.codebooks import CODEBOOKS

PLACES_BYTES = 2048
"""Most places of 16 bits that 256 columns of 16 rows have, in bytes."""


@dataclass(frozen=True)
class Codebook:
    """A type that holds places in a codebook.

    Attributes:
        codebook: a key of `CODEBOOKS`.
        columns: of an entry, 4 or 8.
        is_wide: whether a place has 9 bits, not 8.
        run: columns with a scale, 16 or 32.
        factor: of the scale of scales.
    """

    codebook: str
    columns: int
    is_wide: bool
    run: int
    factor: float

    @property
    def offset(self) -> int:
        """What is added to its numbers when they are unpacked, so that none is negative: 16 or 64."""
        return 16 if max(CODEBOOKS[self.codebook].levels) < 16 else 64

    @property
    def first_block(self) -> int:
        """Where the first 32 columns are."""
        return 32 + 128 * 16 // self.run

    @property
    def runs(self) -> int:
        """Runs of 32 places in 32 columns."""
        return 16 // self.columns

    @property
    def place_bytes(self) -> int:
        """Bytes of the places of 32 columns, 16 bits each."""
        return 64 * self.runs

    @property
    def ninth_bits(self) -> int:
        """Where the masks of 32 columns are."""
        return 32 * self.runs

    @property
    def signs(self) -> int:
        """Where the signs of 32 columns are."""
        return self.ninth_bits + 4 * self.runs * self.is_wide

    @property
    def n_bytes(self) -> int:
        """Those of 32 columns."""
        return self.signs + 64


CODEBOOK_FORMATS: dict[str, Codebook] = {
    "iq2_xxs": Codebook("IQ2_XXS", 8, False, 32, 0.125),
    "iq2_xs": Codebook("IQ2_XS", 8, True, 16, 0.125),
    "iq3_xxs": Codebook("IQ3_XXS", 4, False, 32, 0.25),
    "iq3_s": Codebook("IQ3_S", 4, True, 32, 1.0),
}


@inline
def odd(s):
    """``2 * s + 1`` of int32 lanes."""
    return to_f32(s + s + splat_i32(1))


def scales_writer(book: Codebook) -> Any:
    """``write(w, target)``: the scales of a block as `unpacked` wants them."""
    factor, n_scales = book.factor, 128 // book.run

    @inline
    def write_scales(w, target):
        store_f32x16(target, load_f16x16(w) * splat_f32(factor))
        for scale in range(n_scales):
            scales = load_u8x16(w + 32 + 16 * scale)
            store_f32x16(target + SCALES + 128 * scale, odd(bit_field(scales, 0, 4, 0)))
            store_f32x16(target + SCALES + 128 * scale + 64, odd(bit_field(scales, 4, 4, 0)))

    return write_scales


def places_writer(book: Codebook) -> Any:
    """``write(w, target)``: the places of a block with ninth bits, 16 bits each; nothing without these."""
    first_block, n_bytes, is_wide, place_bytes, n_halves, ninth_bits = (
        book.first_block, book.n_bytes, book.is_wide, book.place_bytes, 2 * book.runs, book.ninth_bits,
    )  # fmt: skip

    @inline
    def write_places(w, target):
        if is_wide:
            for block in range(8):
                q, places = w + first_block + n_bytes * block, target + place_bytes * block
                for i in range(n_halves):
                    whole_places(places + 32 * i, q + 16 * i, q + ninth_bits + 2 * i)
            written(target)

    return write_places


def _numbers(book: Codebook, i: int, half: int) -> list[int]:
    """The places of 8 rows and the i-th 8 of 32 columns."""
    if book.columns == 4:
        return list(range(32 * i + 16 * half, 32 * i + 16 * half + 16))
    first = 32 * (i // 2) + 16 * half + i % 2
    return list(range(first, first + 16, 2))


def weights_maker(book: Codebook, i: int) -> Any:
    """``weights(q, places)``: the i-th 8 of 32 columns, a pair of vectors without signs."""
    words, size, is_wide = codebook_words(book.codebook), 16 if book.is_wide else 8, book.is_wide
    low, high = (gather(size, _numbers(book, i, half)) for half in range(2))

    @inline
    def weights(q, places):
        table, source = unknown(words()), q
        if is_wide:
            source = places
        a = low(table, source)
        # Left alone, the compiler loads all places before it looks up the first, and runs out of registers.
        written(source)
        b = high(table, source)
        written(source)
        return a, b

    return weights


def signs_giver(book: Codebook, i: int) -> Any:
    """``signed(q, a, b)``: a pair of vectors with the signs of the i-th 8 of 32 columns."""
    signs = book.signs
    if book.columns == 4:
        bits = [(2 * (c // 4) + c % 2, 2 * i + c % 4 // 2) for c in range(8)]
    else:
        bits = [(2 * (i % 2) + c % 2, 4 * (i // 2) + c // 2) for c in range(8)]
    negate = negate_pair(bits)

    @inline
    def signed(q, a, b):
        return negate(a, b, q + signs)

    return signed
