"""Builds GGUF bytes by hand with `struct`, field by field, so that tests can break each one of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
T_F32, T_F16, T_Q4_0, T_Q8_0, T_Q8_1 = 0, 1, 2, 8, 9


def string(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("<Q", len(data)) + data


def entry(key: bytes | str, type: int, payload: bytes) -> bytes:
    return string(key) + struct.pack("<I", type) + payload


def array(items: int, n: int, payload: bytes) -> bytes:
    return struct.pack("<IQ", items, n) + payload


def u32_entry(key: str, value: int) -> bytes:
    return entry(key, U32, struct.pack("<I", value))


def u16_entry(key: str, value: int) -> bytes:
    return entry(key, U16, struct.pack("<H", value))


def i32_entry(key: str, value: int) -> bytes:
    return entry(key, I32, struct.pack("<i", value))


def info(
    name: bytes | str, dims: tuple[int, ...], type: int, offset: int, n_dims: int | None = None
) -> bytes:
    """A tensor's entry; `dims` in ggml's order, innermost first."""
    n_dims = len(dims) if n_dims is None else n_dims
    return string(name) + struct.pack(f"<I{len(dims)}QIQ", n_dims, *dims, type, offset)


@dataclass
class Image:
    """The pieces of a file; `build` puts them together."""

    magic: bytes = b"GGUF"
    version: int = 3
    entries: list[bytes] = field(default_factory=list)
    infos: list[bytes] = field(default_factory=list)
    data: bytes = b""
    alignment: int = 32
    n_entries: int | None = None
    n_tensors: int | None = None

    def build(self) -> bytes:
        n_tensors = len(self.infos) if self.n_tensors is None else self.n_tensors
        n_entries = len(self.entries) if self.n_entries is None else self.n_entries
        header = self.magic + struct.pack("<IQQ", self.version, n_tensors, n_entries)
        header += b"".join(self.entries) + b"".join(self.infos)
        if not self.infos:
            return header
        return header + bytes(-len(header) % self.alignment) + self.data


def small_image() -> Image:
    """One entry of most kinds and two tensors; the file ends with the last byte of the last tensor."""
    tokens = b"".join(string(t) for t in (b"<s>", "é".encode(), b"\xc3", b"", b"word"))
    return Image(
        entries=[
            entry("general.architecture", STR, string("llama")),
            u32_entry("llama.block_count", 2),
            entry("llama.rope.freq_base", F32, struct.pack("<f", 10000.0)),
            entry("tokenizer.ggml.tokens", ARR, array(STR, 5, tokens)),
            entry("tokenizer.ggml.scores", ARR, array(F32, 5, struct.pack("<5f", 0, -1, -2, -3, -4))),
            entry("tokenizer.ggml.add_bos_token", BOOL, b"\x01"),
            entry("flags", ARR, array(BOOL, 3, b"\x00\x01\x01")),
        ],
        infos=[info("a.weight", (3, 2), T_F32, 0), info("b.weight", (32, 2, 1), T_Q8_0, 32)],
        data=struct.pack("<6f", 1, 2, 3, 4, 5, 6) + bytes(8) + bytes(range(68)),
    )
