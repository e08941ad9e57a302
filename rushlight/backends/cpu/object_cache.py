"""Object files in the user's cache, where a file is only ever what this very code would make again.

A folder's name holds a hash of everything that the code in it depends on: the sources of kernels and
compiler, the target, the object format. A file ends with a hash of content, kernel and folder, so
a damaged file, and one that belongs elsewhere, is made again. Files are written under another name and then
renamed, so processes may share the folder; one that compiles holds a lock, and others wait for what it makes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rushlight.backends.cpu.target import Target
from rushlight.paths import cache_dir

_HASH_BYTES = 32
_SHARED = (
    "compiler.py",
    "definitions.py",
    "dots.py",
    "dots_i8mm.py",
    "layout.py",
    "lookups.py",
    "object_formats.py",
    "pairs.py",
    "records.py",
    "scratch.py",
    "../cache.py",
    "../../portable_math.py",
    "../../quants/codebooks.py",
    "../../quants/four_bit_floats.py",
    "../../quants/iq4.py",
)


@cache
def _source_digest() -> bytes:
    """A hash of all that shapes a kernel's code, apart from the target."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    files = [path for name in ("kernels", "simd") for path in (folder / name).iterdir()]
    files = [path for path in files if path.suffix == ".py"]
    for path in sorted([*files, *map(folder.joinpath, _SHARED)]):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.digest()


def code_key(target: Target, format: str) -> str:
    """A hash of what the object files of a target and format are made from: 16 hexadecimal digits."""
    return hashlib.sha256(_source_digest() + repr((target, format)).encode()).hexdigest()[:16]


class ObjectCache:
    """The cache's folder for a target and an object format."""

    def __init__(self, target: Target, format: str) -> None:
        self.key = code_key(target, format)
        self.folder = cache_dir() / "kernels" / f"{target.name}.{format}-{self.key}"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.o"

    def _seal(self, name: str, code: bytes) -> bytes:
        return hashlib.sha256(f"{self.key} {name} ".encode() + code).digest()

    def read(self, name: str) -> bytes | None:
        """The object file of a kernel, or None where it is missing, damaged or another's."""
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        code = content[:-_HASH_BYTES]
        return code if self._seal(name, code) == content[-_HASH_BYTES:] else None

    def write(self, name: str, code: bytes) -> None:
        """Keep an object file; where the folder cannot be written, the next process compiles again."""
        import tempfile

        temporary = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                temporary = file.name
                file.write(code + self._seal(name, code))
            os.replace(temporary, self._path(name))
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from compiling the same; no lock where the folder cannot be written."""
        from filelock import FileLock

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock")
            lock.acquire()
        except (OSError, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()
