"""Object files that are shipped: a static library (``ar``) for each target and object format.

Any tool for object files reads them (``objdump -d x86-64-v3.elf.a``). The first member, `SUMS`, says what the
code was made from (`object_cache.code_key`) and the SHA-256 of every other one. Names are written as BSD's
``ar`` does, in front of the content, because the header has room for 16 characters only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from rushlight.backends.cpu.object_cache import code_key
from rushlight.backends.cpu.target import Target

SHIPPED = Path(__file__).parent / "shipped"
"""Where a wheel has its archives."""

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_SUMS = "SHA256SUMS"


def archive_name(target: Target, format: str) -> str:
    """The file name of an archive."""
    return f"{target.name}.{format}.a"


def _member(name: str, content: bytes) -> bytes:
    """A member of ``ar``: a header of text fields, the name, the content, all padded to an even length."""
    title = name.encode() + b"\0" * (-len(name) % 8)
    fields = f"#1/{len(title)}", "0", "0", "0", "644", str(len(title) + len(content))
    header = "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n".format(*fields).encode()
    return header + title + content + b"\n" * (len(content) % 2)


def write_archive(path: Path, objects: Mapping[str, bytes], key: str) -> None:
    """Write the object files of kernels.

    Args:
        path: the archive's file.
        objects: object files by kernel.
        key: what they were made from.
    """
    files = {f"{name}.o": code for name, code in sorted(objects.items())}
    sums = "".join(f"{hashlib.sha256(code).hexdigest()}  {name}\n" for name, code in files.items())
    members = {_SUMS: f"{key}\n{sums}".encode(), **files}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_MAGIC + b"".join(_member(name, content) for name, content in members.items()))


def _members(archive: bytes) -> dict[str, bytes]:
    """The members of an archive that `write_archive` wrote; a ValueError for anything else."""
    if not archive.startswith(_MAGIC):
        raise ValueError("no archive")
    members, place = {}, len(_MAGIC)
    while place < len(archive):
        header = archive[place : place + _HEADER_BYTES]
        if len(header) < _HEADER_BYTES or not header.startswith(b"#1/"):
            raise ValueError("no member")
        n_title, size = int(header[3:16]), int(header[48:58])
        content = archive[place + _HEADER_BYTES : place + _HEADER_BYTES + size]
        if not 0 <= n_title <= size == len(content):
            raise ValueError("a member outside the archive")
        members[content[:n_title].rstrip(b"\0").decode()] = content[n_title:]
        place += _HEADER_BYTES + size + size % 2
    return members


def read_archive(path: Path, key: str | None = None) -> dict[str, bytes]:
    """The undamaged object files of an archive, by kernel; none where it is missing or no archive of ours.

    Args:
        path: the archive's file.
        key: what the code must have been made from; by default anything.
    """
    try:
        members = _members(path.read_bytes())
        found, *lines = members[_SUMS].decode().splitlines()
    except (OSError, ValueError, KeyError):
        return {}
    if key not in (None, found):
        return {}
    sums = (line.split("  ", 1) for line in lines)
    return {
        name[:-2]: members[name]
        for sum, name in sums
        if name in members and hashlib.sha256(members[name]).hexdigest() == sum
    }


def read_shipped(target: Target, format: str) -> dict[str, bytes]:
    """The object files that came with Rushlight and belong to its sources as they are now."""
    return read_archive(SHIPPED / archive_name(target, format), code_key(target, format))
