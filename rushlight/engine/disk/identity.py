"""What a block's content depends on besides the tokens: equal identities mean equal bits."""

from __future__ import annotations

import os
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout
from rushlight.engine.disk.entry import read_entry, write_entry

_PIECE_BYTES = 1 << 22
_CODE = ("backends/**/*.py", "models/*.py", "quants/*.py", "portable_math.py")


class Identity(NamedTuple):
    """What makes up the identity of a model's blocks.

    It covers every byte of the model's files, the source code that computes with them, the backend, the type
    and the layout of the cache, and the context, on which the rotary angles of some models depend.

    Attributes:
        paths: the model's files.
        backend, kv_dtype, n_ctx, layout: as the model was loaded.
    """

    paths: tuple[Path, ...]
    backend: str
    kv_dtype: str
    n_ctx: int
    layout: CacheLayout

    def known(self, folder: Path) -> bytes | None:
        """The identity, 16 bytes; None where it takes reading the files.

        Args:
            folder: where `compute` keeps hashes of files.
        """
        try:
            digests = [read_entry(*_place(folder, path)) for path in self.paths]
        except OSError:
            return None
        return None if None in digests else self._digest([digest for digest in digests if digest])

    def compute(self, folder: Path) -> bytes:
        """The identity, after reading the files.

        Reading gigabytes takes seconds, so the hash of a file is kept, under the file's place, size, number
        and times; a file that was changed or exchanged has others.

        Raises:
            OSError: a file cannot be read.
        """
        return self._digest([_digest_of_file(folder, path) for path in self.paths])

    def _digest(self, of_files: list[bytes]) -> bytes:
        described = (self.backend, self.kv_dtype, self.n_ctx, BLOCK_TOKENS, self.layout, sys.byteorder)
        parts = [code_digest(), *of_files, repr(described).encode()]
        return blake2b(b"".join(parts), digest_size=16).digest()


@cache
def code_digest() -> bytes:
    """A hash of the source code that blocks are computed with."""
    package = Path(__file__).parents[2]
    digest = blake2b(digest_size=32)
    for path in sorted(path for pattern in _CODE for path in package.glob(pattern)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)} ".encode() + content)
    return digest.digest()


def _digest_of_file(folder: Path, path: Path) -> bytes:
    place = _place(folder, path)
    if (known := read_entry(*place)) is not None:
        return known
    digest = blake2b(digest_size=32)
    buffer = memoryview(bytearray(_PIECE_BYTES))
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(buffer):
            digest.update(buffer[:n])
    if _place(folder, path) == place:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_entry(*place, digest.digest())
        except OSError:
            pass  # it is computed again next time
    return digest.digest()


def _place(folder: Path, path: Path) -> tuple[Path, bytes]:
    """Where a file's hash is kept, and what tells this version of it from others without reading it."""
    real = path.resolve()
    stat = os.stat(real)
    version = (os.fspath(real), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    known_as = repr(version).encode()
    return folder / blake2b(known_as, digest_size=16).hexdigest(), known_as
