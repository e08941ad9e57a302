"""A linker for kernels: their ELF object files, side by side in one image that runs wherever it is mapped.

A kernel calls nothing and has no data but constants, so all that is to be linked are the distances from its
code to its constants. With this, a process that has its kernels loads no LLVM, whose start costs a tenth of a
second and 45 MB. Sources: the System V ABI (ELF-64) and its supplements for x86-64 and AArch64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rushlight.backends.cpu.object_formats import symbol

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_PROGBITS, _SYMTAB, _RELA, _ALLOCATED = 1, 2, 4, 2
_INT32 = 1 << 31


class _Section(NamedTuple):
    """A section header, field by field."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def _distance(code: bytearray, place: int, target: int) -> None:
    """``R_X86_64_PC32``: 32 bits from the place itself."""
    if not -_INT32 <= target - place < _INT32:
        raise ValueError("an image of more than 2 GiB")
    struct.pack_into("<i", code, place, target - place)


def _page(code: bytearray, place: int, target: int) -> None:
    """``R_AARCH64_ADR_PREL_PG_HI21``: the distance between pages of 4 KiB, in an ``adrp``."""
    pages = (target >> 12) - (place >> 12)
    (word,) = struct.unpack_from("<I", code, place)
    word |= (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    struct.pack_into("<I", code, place, word)


def _within_page(shift: int) -> Callable[[bytearray, int, int], None]:
    """``R_AARCH64_*_ABS_LO12_NC``: the place within its page, in units of the load's size."""

    def apply(code: bytearray, place: int, target: int) -> None:
        (word,) = struct.unpack_from("<I", code, place)
        struct.pack_into("<I", code, place, word | (target & 0xFFF) >> shift << 10)

    return apply


_X86_64, _AARCH64 = 62, 183
_APPLY: dict[tuple[int, int], Callable[[bytearray, int, int], None]] = {
    (_X86_64, 2): _distance,
    (_AARCH64, 275): _page,
    (_AARCH64, 277): _within_page(0),
    (_AARCH64, 278): _within_page(0),
    (_AARCH64, 284): _within_page(1),
    (_AARCH64, 285): _within_page(2),
    (_AARCH64, 286): _within_page(3),
    (_AARCH64, 299): _within_page(4),
}
"""What fills in a relocation, by machine and type."""


class _Object:
    """One object file and where its sections are in the image."""

    def __init__(self, file: bytes) -> None:
        if file[:6] != b"\x7fELF\x02\x01":
            raise ValueError("no ELF object file of 64 bits")
        self._file = file
        (self._machine,) = struct.unpack_from("<H", file, 18)
        (headers,) = struct.unpack_from("<Q", file, 40)
        size, count, names = struct.unpack_from("<HHH", file, 58)
        self._sections = [_Section(*_SECTION.unpack_from(file, headers + size * i)) for i in range(count)]
        self._names = self._sections[names].offset
        self._places: dict[int, int] = {}

    def _text(self, place: int) -> str:
        return self._file[place : self._file.index(b"\0", place)].decode()

    def place(self, image: bytearray) -> None:
        """Append the sections that a running kernel needs; frames are described for debuggers only."""
        for i, section in enumerate(self._sections):
            if not section.flags & _ALLOCATED or not section.size:
                continue
            if self._text(self._names + section.name) == ".eh_frame":
                continue
            if section.type != _PROGBITS:
                raise ValueError(f"a section of type {section.type}")
            image.extend(bytes(-len(image) % max(1, section.alignment)))
            self._places[i] = len(image)
            image.extend(self._file[section.offset : section.offset + section.size])

    def _symbols(self) -> Iterator[tuple[str, int | None]]:
        """Names and places in the image, None for what is not there."""
        (table,) = (s for s in self._sections if s.type == _SYMTAB)
        strings = self._sections[table.link].offset
        for place in range(table.offset, table.offset + table.size, _SYMBOL.size):
            name, _, _, section, value, _ = _SYMBOL.unpack_from(self._file, place)
            base = self._places.get(section)
            yield self._text(strings + name), None if base is None else base + value

    def resolve(self, image: bytearray, name: str) -> int:
        """Fill in the distances; where symbol `name` is in the image."""
        symbols = list(self._symbols())
        for section in self._sections:
            if section.type != _RELA or section.info not in self._places:
                continue
            for entry in range(section.offset, section.offset + section.size, _RELOCATION.size):
                offset, info, addend = _RELOCATION.unpack_from(self._file, entry)
                label, target = symbols[info >> 32]
                apply = _APPLY.get((self._machine, info & 0xFFFFFFFF))
                if apply is None or target is None:
                    raise ValueError(
                        f"relocation {info & 0xFFFFFFFF} of machine {self._machine} to {label!r}"
                    )
                apply(image, self._places[section.info] + offset, target + addend)
        place = dict(symbols).get(name)
        if place is None:
            raise ValueError(f"no symbol {name}")
        return place


def link_kernels(objects: Mapping[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """Link kernels into one image.

    Args:
        objects: ELF object files by kernel.

    Returns:
        The image, to be mapped at a multiple of 4 KiB, and where in it each kernel begins.

    Raises:
        ValueError: an object file has what kernels do not have, for example a call to another function.
    """
    files = {name: _Object(file) for name, file in objects.items()}
    image = bytearray()
    for file in files.values():
        image.extend(bytes(-len(image) % 64))
        file.place(image)
    starts = {name: file.resolve(image, symbol(name)) for name, file in files.items()}
    return bytes(image), starts
