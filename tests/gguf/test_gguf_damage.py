"""Damaged files: one clear error, never a crash, never memory for a count that lies."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.gguf_bytes import (
    ARR,
    BOOL,
    F32,
    I32,
    STR,
    T_F32,
    T_Q8_0,
    T_Q8_1,
    U8,
    U32,
    Image,
    array,
    entry,
    info,
    small_image,
    string,
    u32_entry,
)

from rushlight.errors import InvalidFile, RushlightError, UnsupportedTensorType
from rushlight.gguf import open_gguf
from rushlight.quants import dequantize

HUGE = 2**64 - 1


def open_bytes(folder: Path, data: bytes) -> None:
    """Open a file of these bytes and read all that it says it holds."""
    path = folder / "damaged.gguf"
    path.unlink(missing_ok=True)  # a new file each time: an older mapping must keep its own
    path.write_bytes(data)
    with open_gguf(path) as file:
        for value in file.metadata.values():
            str(value.tolist() if isinstance(value, np.ndarray) else value)
            if not isinstance(value, (str, int, float)):
                assert len(list(value)) == len(value)
        for tensor in file.tensors.values():
            values = dequantize(tensor.raw, tensor.type)
            assert values.shape == tensor.shape and values.size == tensor.n_elements


def test_the_small_file_is_sound(tmp_path: Path) -> None:
    open_bytes(tmp_path, small_image().build())


def test_every_prefix_is_refused(tmp_path: Path) -> None:
    data = small_image().build()
    for n in range(len(data)):
        with pytest.raises(InvalidFile) as caught:
            open_bytes(tmp_path, data[:n])
        assert "damaged.gguf" in str(caught.value)


def test_mutated_bytes_never_crash(tmp_path: Path) -> None:
    rng = random.Random(20260101)
    sound = small_image().build()
    header = sound.index(b"b.weight") + 48
    outcomes = {True: 0, False: 0}
    for _ in range(4000):
        data = bytearray(sound)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            data[rng.randrange(header)] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            open_bytes(tmp_path, bytes(data))
            outcomes[True] += 1
        except RushlightError as error:
            outcomes[False] += 1
            assert str(error).strip() and "\n" not in str(error)
    # Both happen often: a name may change its letters, a length or a type may not change at all.
    assert min(outcomes.values()) > 400


def test_mutated_words_never_crash(tmp_path: Path) -> None:
    """Every 4 and 8 bytes of the header, at every offset, replaced by numbers that overflow something."""
    sound = small_image().build()
    header = sound.index(b"b.weight") + 48
    for width, code in ((4, "<I"), (8, "<Q")):
        top = 2 ** (8 * width) - 1
        for start in range(header - width):
            for value in (0, top, top // 2, top // 2 + 1, top - 7, 1 << 24):
                data = sound[:start] + struct.pack(code, value) + sound[start + width :]
                try:
                    open_bytes(tmp_path, data)
                except RushlightError:
                    continue


def header_of(**fields: object) -> bytes:
    image = small_image()
    for name, value in fields.items():
        setattr(image, name, value)
    return image.build()


def one_entry(data: bytes) -> bytes:
    return Image(entries=[data]).build() + bytes(64)


def tensors(*infos: bytes, data: bytes = bytes(256), entries: list[bytes] | None = None) -> bytes:
    return Image(infos=list(infos), data=data, entries=entries or []).build()


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "magic": (lambda: header_of(magic=b"GGML"), "it begins with b'GGML', expected b'GGUF'"),
    "version 0": (lambda: header_of(version=0), "version 0 is not supported; expected 2 or 3"),
    "version 1": (lambda: header_of(version=1), "version 1 is not supported; expected 2 or 3"),
    "version 4": (lambda: header_of(version=4), "version 4 is not supported"),
    "big endian": (lambda: header_of(version=0x03000000), "big-endian"),
    "tensor count": (lambda: header_of(n_tensors=HUGE), f"promises {HUGE} tensors"),
    "one tensor too many": (
        lambda: header_of(n_tensors=3),
        "name is 9223372036854775808 bytes long",
    ),
    "entry count": (lambda: header_of(n_entries=HUGE), f"promises {HUGE} metadata entries"),
    "one entry too many": (lambda: header_of(n_entries=8), "tensor's name is 562949953421312 bytes"),
    "empty key": (lambda: one_entry(entry("", U8, b"\x01")), "0 bytes long; expected 1 to 65535"),
    "long key": (lambda: one_entry(entry("k" * 65536, U8, b"\x01")), "65536 bytes long; expected 1 to 65535"),
    "key length": (lambda: one_entry(struct.pack("<Q", HUGE) + b"key"), f"is {HUGE} bytes long"),
    "key encoding": (lambda: one_entry(entry(b"\xff", U8, b"\x01")), "not valid UTF-8"),
    "key twice": (
        lambda: Image(entries=[u32_entry("k", 1), u32_entry("k", 1)]).build(),
        "key 'k' appears twice",
    ),
    "value type": (lambda: one_entry(entry("k", 13, bytes(8))), "type of 'k' is 13; expected 0 to 12"),
    "bool": (lambda: one_entry(entry("k", BOOL, b"\x02")), "byte 2 as a bool"),
    "string length": (lambda: one_entry(entry("k", STR, struct.pack("<Q", HUGE))), f"needs {HUGE} bytes"),
    "array type": (lambda: one_entry(entry("k", ARR, array(99, 1, bytes(8)))), "element type of 'k' is 99"),
    "array of arrays": (lambda: one_entry(entry("k", ARR, array(ARR, 1, bytes(12)))), "holds arrays"),
    "array length": (lambda: one_entry(entry("k", ARR, array(F32, HUGE, b""))), f"promises {HUGE} elements"),
    "array too long": (lambda: one_entry(entry("k", ARR, array(F32, 1 << 20, b""))), "needs 4194304 bytes"),
    "bools in an array": (
        lambda: one_entry(entry("k", ARR, array(BOOL, 2, b"\x01\x07"))),
        "byte 7 as",
    ),
    "string count": (
        lambda: one_entry(entry("k", ARR, array(STR, 1 << 20, b""))),
        "promises 1048576",
    ),
    "string in an array": (
        lambda: one_entry(entry("k", ARR, array(STR, 2, string("a") + struct.pack("<Q", HUGE)))),
        "'k' promises 2 strings, but number 1 runs past the end",
    ),
    "alignment type": (lambda: one_entry(entry("general.alignment", I32, bytes(4))), "has the type INT32"),
    "alignment 0": (lambda: one_entry(u32_entry("general.alignment", 0)), "general.alignment is 0"),
    "alignment 4": (lambda: one_entry(u32_entry("general.alignment", 4)), "general.alignment is 4"),
    "alignment 24": (lambda: one_entry(u32_entry("general.alignment", 24)), "is 24; expected a power of two"),
    "tensor name": (lambda: tensors(info("n" * 65, (1,), T_F32, 0)), "65 bytes long; expected 1 to 64"),
    "no dimensions": (lambda: tensors(info("t", (1,), T_F32, 0, n_dims=0)), "'t' has 0 dimensions"),
    "five dimensions": (
        lambda: tensors(info("t", (1,) * 5, T_F32, 0)),
        "'t' has 5 dimensions",
    ),
    "dimension 0": (
        lambda: tensors(info("t", (4, 0), T_F32, 0)),
        r"shape \(0, 4\); expected",
    ),
    "huge shape": (lambda: tensors(info("t", (2**62, 2**62), T_F32, 0)), "'t' needs bytes 0 to"),
    "wrapping shape": (lambda: tensors(info("t", (2**32, 2**32), T_F32, 0)), "'t' needs bytes 0 to"),
    "part of a block": (
        lambda: tensors(info("t", (33,), T_Q8_0, 0)),
        "rows of 33 values",
    ),
    "offset alignment": (lambda: tensors(info("t", (1,), T_F32, 8)), "offset 8; expected a multiple of 32"),
    "offset": (lambda: tensors(info("t", (1,), T_F32, 2**63)), "the file has 256"),
    "last byte missing": (
        lambda: tensors(info("t", (64,), T_F32, 0), data=bytes(255)),
        "to 256 .* has 255",
    ),
    "overlap": (
        lambda: tensors(info("t", (16,), T_F32, 0), info("u", (1,), T_F32, 32)),
        "tensor 'u' overlaps tensor 't'",
    ),
    "same place": (
        lambda: tensors(info("t", (1,), T_F32, 0), info("u", (1,), T_F32, 0)),
        "tensor 'u' overlaps tensor 't'",
    ),
    "tensor twice": (
        lambda: tensors(info("t", (1,), T_F32, 0), info("t", (1,), T_F32, 32)),
        "tensor 't' appears twice",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_field_has_its_own_error(tmp_path: Path, case: str) -> None:
    build, message = CASES[case]
    with pytest.raises(InvalidFile, match=message):
        open_bytes(tmp_path, build())


@pytest.mark.parametrize(
    ("number", "name"), [(T_Q8_1, "Q8_1"), (4, "number 4"), (27, "I64"), (2**32 - 1, "number")]
)
def test_other_tensor_types_are_named(tmp_path: Path, number: int, name: str) -> None:
    with pytest.raises(
        UnsupportedTensorType, match=f"tensor 'blk.0.w': Tensor type {name}.* supported are F32"
    ):
        open_bytes(tmp_path, tensors(info("blk.0.w", (256,), number, 0)))


@pytest.mark.parametrize(
    "data",
    [
        header_of(n_tensors=2**40),
        header_of(n_entries=2**40),
        one_entry(entry("k", ARR, array(U32, 1 << 24, b""))),
        one_entry(entry("k", ARR, array(STR, 1 << 24, b""))),
        one_entry(entry("k", STR, struct.pack("<Q", 2**40))),
        tensors(info("t", (2**40,), T_F32, 0)),
    ],
)
def test_lying_counts_cost_no_memory(tmp_path: Path, data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidFile):
            open_bytes(tmp_path, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000
