"""Just enough of three object file formats to list the symbols that a file wants from elsewhere."""

from __future__ import annotations

import struct


def undefined_symbols(code: bytes) -> set[str]:
    """Names that an ELF, Mach-O or COFF object (64 bits, little endian) refers to and does not define.

    Raises:
        ValueError: it is none of these.
    """
    if code[:4] == b"\x7fELF":
        return _elf(code)
    if code[:4] == b"\xcf\xfa\xed\xfe":
        return _mach_o(code)
    if code[:2] in (b"\x64\x86", b"\x64\xaa"):
        return _coff(code)
    raise ValueError(f"no object file begins with {code[:4].hex()}")


def _text(code: bytes, start: int) -> str:
    return code[start : code.index(b"\0", start)].decode()


def _elf(code: bytes) -> set[str]:
    """``e_shoff``, section headers of 64 bytes, and in the symbol table (type 2) entries of section 0."""
    (headers,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, headers + size * i) for i in range(count)]
    names = set()
    for section in sections:
        if section[1] != 2:
            continue
        strings = sections[section[6]][4]
        for place in range(section[4], section[4] + section[5], 24):
            name, _, _, index = struct.unpack_from("<IBBH", code, place)
            if index == 0 and name:
                names.add(_text(code, strings + name))
    return names


def _mach_o(code: bytes) -> set[str]:
    """Load commands behind a header of 32 bytes; LC_SYMTAB (2) leads to entries of 16 bytes.

    An undefined symbol with a value is a common one, whose size that is: the linker makes it.
    """
    (n_commands,) = struct.unpack_from("<I", code, 16)
    place, names = 32, set()
    for _ in range(n_commands):
        command, size = struct.unpack_from("<II", code, place)
        if command == 2:
            symbols, count, strings, _ = struct.unpack_from("<IIII", code, place + 8)
            for i in range(count):
                name, kind, _, _, value = struct.unpack_from("<IBBHQ", code, symbols + 16 * i)
                if kind & 0x0E == 0 and value == 0:
                    names.add(_text(code, strings + name))
        place += size
    return names


def _coff(code: bytes) -> set[str]:
    """Symbols of 18 bytes, then strings; external ones (class 2) of section 0 and value 0 are wanted."""
    start, count = struct.unpack_from("<II", code, 8)
    strings, i, names = start + 18 * count, 0, set()
    while i < count:
        entry = code[start + 18 * i : start + 18 * (i + 1)]
        value, section, _, storage, n_more = struct.unpack_from("<IhHBB", entry, 8)
        zeros, offset = struct.unpack_from("<II", entry)
        name = _text(code, strings + offset) if zeros == 0 else entry[:8].rstrip(b"\0").decode()
        if (section, value, storage) == (0, 0, 2):
            names.add(name)
        i += 1 + n_more
    return names
