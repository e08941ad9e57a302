"""Damages GGUF files in the ways that the format can be damaged in, by a random generator's choice."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from helpers.gguf_bytes import ARR, STR, array, string

Range = tuple[int, int]

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value of each type that has a size."""

_FORMATS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_HARD_FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e30, -1e30, math.nan, math.inf, -math.inf)
_HARD_RUNS = (b"\xff", b"\xff\x7f", b"\x00\x7c", b"\x00\x00\xc0\x7f", b"\xff" * 64)
_HARD_TEXTS = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"<0x00>",
    b"<0xZZ>",
    b" ",
    "\u2581".encode(),
    b"a" * 5000,
    b"{{ messages }}",
    b"{% for m in messages %}{{ m.content * 9999 }}{% endfor %}",
    b"{{ messages[0].x.y }}",
    b"{% if %}",
    b"llama",
    b"gpt2",
    b"bert",
    b"yarn",
)


@dataclass(frozen=True)
class Entry:
    """A metadata entry: its key, the number of its type, and its value as stored."""

    key: bytes
    type: int
    value: bytes

    @property
    def data(self) -> bytes:
        """As the file has it."""
        return string(self.key) + struct.pack("<I", self.type) + self.value


@dataclass(frozen=True)
class Sound:
    """A sound file in pieces.

    Attributes:
        head: magic and version.
        entries: the metadata.
        infos: the entries of the tensor table.
        data: of the tensors.
    """

    head: bytes
    entries: tuple[Entry, ...]
    infos: tuple[bytes, ...]
    data: bytes

    def build(self) -> bytes:
        """The file."""
        header = self.head + struct.pack("<QQ", len(self.infos), len(self.entries))
        header += b"".join(entry.data for entry in self.entries) + b"".join(self.infos)
        return header + bytes(-len(header) % 32) + self.data


def take_apart(data: bytes) -> Sound:
    """Read a file that is known to be sound."""
    n_infos, n_entries = struct.unpack_from("<QQ", data, 8)
    entries, infos, at = [], [], 24
    for _ in range(n_entries):
        start, at = at + 8, _string_end(data, at)
        key, type = data[start:at], struct.unpack_from("<I", data, at)[0]
        start, at = at + 4, _value_end(data, at + 4, type)
        entries.append(Entry(key, type, data[start:at]))
    for _ in range(n_infos):
        start = at
        at = _string_end(data, at)
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 12
        infos.append(data[start:at])
    return Sound(data[:8], tuple(entries), tuple(infos), data[at + -at % 32 :])


def _string_end(data: bytes, at: int) -> int:
    return int(at + 8 + struct.unpack_from("<Q", data, at)[0])


def _value_end(data: bytes, at: int, type: int) -> int:
    if type == STR:
        return _string_end(data, at)
    if type != ARR:
        return at + SIZES[type]
    items, n = struct.unpack_from("<IQ", data, at)
    at += 12
    if items != STR:
        return int(at + n * SIZES[items])
    for _ in range(n):
        at = _string_end(data, at)
    return at


def fields_of(sound: Sound) -> list[Range]:
    """Where counts, lengths, types, dimensions, offsets and numbers lie in the built file: (start, bytes).

    Of the elements of an array the first and the last.
    """
    fields, at = [(4, 4), (8, 8), (16, 8)], 24
    for entry in sound.entries:
        after_key = at + 8 + len(entry.key)
        fields += [(at, 8), (after_key, 4)]
        value, at = after_key + 4, after_key + 4 + len(entry.value)
        if entry.type == STR:
            fields.append((value, 8))
        elif entry.type == ARR:
            items = struct.unpack_from("<I", entry.value)[0]
            fields += [(value, 4), (value + 4, 8)]
            if items in SIZES and len(entry.value) > 12:
                fields += [(value + 12, SIZES[items]), (at - SIZES[items], SIZES[items])]
            elif items == STR and len(entry.value) > 12:
                fields.append((value + 12, 8))
        elif entry.type in SIZES:
            fields.append((value, SIZES[entry.type]))
    for info in sound.infos:
        after_name = at + _string_end(info, 0)
        n_dims = struct.unpack_from("<I", info, after_name - at)[0]
        dims = [(after_name + 4 + 8 * i, 8) for i in range(n_dims)]
        after_dims = after_name + 4 + 8 * n_dims
        fields += [(at, 8), (after_name, 4), *dims, (after_dims, 4), (after_dims + 4, 8)]
        at += len(info)
    return fields


def mutate(rng: random.Random, sound: Sound) -> bytes:
    """One to three changes, most often one: first to the pieces, then to the bytes."""
    n = rng.choice((1, 1, 1, 2, 3))
    kinds = [rng.choice(_CHANGES) for _ in range(n)]
    for kind in kinds:
        if kind in _OF_PIECES:
            sound = _OF_PIECES[kind](rng, sound)
    data = bytearray(sound.build())
    for kind in kinds:
        if kind in _OF_BYTES:
            data = _OF_BYTES[kind](rng, sound, data)
    return bytes(data)


def hard_integer(rng: random.Random, n_bytes: int, old: int = 0) -> int:
    """A number that overflows something, or one near the old one."""
    top = (1 << 8 * n_bytes) - 1
    near = (old + 1, old - 1, 2 * old, old // 2, old + 32, rng.randrange(64))
    hard = (0, 1, top, top // 2, top // 2 + 1, top - 7, 1 << 24, 1 << 31, 1 << 32, rng.randrange(top + 1))
    return rng.choice((*near, *hard)) & top


def hard_value(rng: random.Random, depth: int = 0) -> tuple[int, bytes]:
    """A metadata value of a type by chance: the number of the type, and the value as stored."""
    type = rng.choice((*SIZES, STR, STR, ARR, ARR, 13))
    if type == STR:
        return STR, string(rng.choice(_HARD_TEXTS))
    if type == ARR:
        if depth < 3 and rng.random() < 0.2:
            inner = [hard_value(rng, depth + 1) for _ in range(rng.randrange(4))]
            return ARR, array(inner[0][0] if inner else ARR, len(inner), b"".join(v for _, v in inner))
        if rng.random() < 0.3:
            n = rng.randrange(40)
            return ARR, array(STR, n, b"".join(string(rng.choice(_HARD_TEXTS[:7])) for _ in range(n)))
        items, n = rng.choice(list(SIZES)), rng.choice((0, 1, 2, 3, 32, 320))
        return ARR, array(items, n, b"".join(_number(rng, items) for _ in range(n)))
    return type, _number(rng, type) if type in SIZES else rng.randbytes(8)


def _number(rng: random.Random, type: int) -> bytes:
    if type in (6, 12):
        return struct.pack("<f" if type == 6 else "<d", rng.choice(_HARD_FLOATS[:5] + _HARD_FLOATS[6:]))
    if type == 7:
        return bytes([rng.randrange(2)])
    return hard_integer(rng, SIZES[type]).to_bytes(SIZES[type], "little")


def _header_end(sound: Sound, data: bytearray) -> int:
    """About where the header ends in a file that may have changed its length already; at least 1."""
    return max(1, min(len(data), len(sound.build()) - len(sound.data)))


def _flip_bytes(rng: random.Random, sound: Sound, data: bytearray) -> bytearray:
    end = _header_end(sound, data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(end)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return data


def _set_field(rng: random.Random, sound: Sound, data: bytearray) -> bytearray:
    fields = [(start, n) for start, n in fields_of(sound) if start + n <= len(data)]
    if not fields:
        return data
    start, n = rng.choice(fields)
    old = int.from_bytes(data[start : start + n], "little")
    if rng.random() < 0.2:  # what another field of the same size says
        other, _ = rng.choice([field for field in fields if field[1] == n])
        data[start : start + n] = data[other : other + n]
    else:
        struct.pack_into(_FORMATS[n], data, start, hard_integer(rng, n, old))
    return data


def _truncate(rng: random.Random, sound: Sound, data: bytearray) -> bytearray:
    end = len(data) if rng.random() < 0.3 else _header_end(sound, data)
    return data[: rng.randrange(end)]


def _shift(rng: random.Random, sound: Sound, data: bytearray) -> bytearray:
    at = rng.randrange(_header_end(sound, data))
    if rng.random() < 0.5:
        return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 8, 32))) + data[at:]
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 32)) :]


def _data_bytes(rng: random.Random, sound: Sound, data: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 8, 64)) if sound.data else 0):
        at = len(data) - 1 - rng.randrange(len(sound.data))
        run = rng.choice(
            (b"\xff", b"\xff\x7f", b"\x00\x7c", b"\x00\x00\xc0\x7f", b"\xff" * 64, rng.randbytes(8))
        )
        data[at : at + len(run)] = run[: len(data) - at]
    return data


def _edit_entries(rng: random.Random, sound: Sound) -> Sound:
    entries = list(sound.entries)
    if not entries:
        return sound
    i, j = rng.randrange(len(entries)), rng.randrange(len(entries))
    action = rng.randrange(4)
    if action == 0:
        del entries[i]
    elif action == 1:
        entries.insert(j, entries[i])
    elif action == 2:
        entries[i], entries[j] = entries[j], entries[i]
    else:  # a value under another key
        entries[i] = replace(entries[i], type=entries[j].type, value=entries[j].value)
    return replace(sound, entries=tuple(entries))


def _new_value(rng: random.Random, sound: Sound) -> Sound:
    entries = list(sound.entries)
    if not entries:
        return sound
    i = rng.randrange(len(entries))
    old = entries[i]
    if old.type in SIZES and rng.random() < 0.7:  # of the same type, and hard
        entries[i] = replace(old, value=_number(rng, old.type))
    else:
        type, value = hard_value(rng)
        entries[i] = replace(old, type=type, value=value)
    return replace(sound, entries=tuple(entries))


def _resize_array(rng: random.Random, sound: Sound) -> Sound:
    entries = list(sound.entries)
    arrays = [i for i, entry in enumerate(entries) if entry.type == ARR and _has_elements(entry.value)]
    if not arrays:
        return sound
    i = rng.choice(arrays)
    items, elements = _elements(entries[i].value)
    a, b = sorted(rng.randrange(len(elements) + 1) for _ in range(2))
    cut = elements[:a] + elements[b:]
    changed = rng.choice((cut, elements[:a], elements + elements[a:b], elements[::-1]))
    if elements and rng.random() < 0.4:  # one element becomes another, or something hard
        changed = list(elements)
        hard = string(rng.choice(_HARD_TEXTS[:7])) if items == STR else _number(rng, items)
        changed[rng.randrange(len(elements))] = rng.choice((hard, rng.choice(elements)))
    entries[i] = replace(entries[i], value=array(items, len(changed), b"".join(changed)))
    return replace(sound, entries=tuple(entries))


def _has_elements(value: bytes) -> bool:
    return struct.unpack_from("<I", value)[0] in {*SIZES, STR}


def _elements(value: bytes) -> tuple[int, list[bytes]]:
    items, n = struct.unpack_from("<IQ", value)
    elements, at = [], 12
    for _ in range(n):
        end = _value_end(value, at, items)
        elements.append(value[at:end])
        at = end
    return items, elements


def _edit_text(rng: random.Random, sound: Sound) -> Sound:
    entries = list(sound.entries)
    texts = [i for i, entry in enumerate(entries) if entry.type == STR]
    if not texts:
        return sound
    i = rng.choice(texts)
    text = entries[i].value[8:]
    a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    changed = rng.choice(
        (text[:a] + text[b:], text[:a] + rng.choice(_HARD_TEXTS) + text[a:], text * 3, text[:a])
    )
    entries[i] = replace(entries[i], value=string(changed))
    return replace(sound, entries=tuple(entries))


def _edit_infos(rng: random.Random, sound: Sound) -> Sound:
    infos = list(sound.infos)
    if not infos:
        return sound
    i, j = rng.randrange(len(infos)), rng.randrange(len(infos))
    action = rng.randrange(4)
    if action == 0:
        del infos[i]
    elif action == 1:
        infos.insert(j, infos[i])
    elif action == 2:  # one tensor's place, type and shape for another's
        name = infos[i][: _string_end(infos[i], 0)]
        infos[i] = name + infos[j][_string_end(infos[j], 0) :]
    else:  # dimensions the other way round
        at = _string_end(infos[i], 0) + 4
        dims = [infos[i][k : k + 8] for k in range(at, len(infos[i]) - 12, 8)]
        infos[i] = infos[i][:at] + b"".join(reversed(dims)) + infos[i][-12:]
    return replace(sound, infos=tuple(infos))


_OF_PIECES: dict[str, Callable[[random.Random, Sound], Sound]] = {
    "edit entries": _edit_entries,
    "new value": _new_value,
    "resize array": _resize_array,
    "edit text": _edit_text,
    "edit infos": _edit_infos,
}
_OF_BYTES: dict[str, Callable[[random.Random, Sound, bytearray], bytearray]] = {
    "flip bytes": _flip_bytes,
    "set field": _set_field,
    "truncate": _truncate,
    "shift": _shift,
    "data bytes": _data_bytes,
}
_CHANGES = (*_OF_PIECES, *_OF_BYTES, "new value", "set field", "resize array")
