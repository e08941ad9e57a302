"""Object file formats, what LLVM calls the systems that use them, and the name of a kernel in them."""

from __future__ import annotations

import sys

TRIPLES: dict[str, dict[str, str]] = {
    "elf": {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"},
    "macho": {"x86_64": "x86_64-apple-macosx11", "aarch64": "arm64-apple-macosx11"},
    "coff": {"x86_64": "x86_64-pc-windows-msvc", "aarch64": "aarch64-pc-windows-msvc"},
}
"""LLVM's name of machine, system and object format, by format and machine. Linux's serves every system with
ELF: kernels call nothing."""


def host_format() -> str:
    """The object format of this system: elf, macho or coff."""
    return {"darwin": "macho", "win32": "coff", "cygwin": "coff"}.get(sys.platform, "elf")


def symbol(name: str) -> str:
    """The C symbol of a kernel."""
    return f"rushlight_{name}"
