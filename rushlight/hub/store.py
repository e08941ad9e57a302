"""Where files from PyPI are kept: the directory, the record beside each model, the lock.

::

    <cache>/pypi/<distribution>/<version>/record.json     written last: without it there is no model
    <cache>/pypi/<distribution>/<version>/<name>.gguf
    <cache>/pypi/<distribution>/.partial-*                work that has not ended; never read as a model
    <cache>/locks/<distribution>.lock
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rushlight.paths import cache_dir

RECORD = "record.json"


class KeptFile(NamedTuple):
    """A file of a kept model, as its record tells."""

    name: str
    size: int  # bytes
    sha256: str


class Record(NamedTuple):
    """What is known of a kept model."""

    distribution: str
    version: str
    files: tuple[KeptFile, ...]
    archives: tuple[str, ...]  # the wheels that the files were taken from
    fetched: float  # seconds since the epoch


class Kept(NamedTuple):
    """A model in the store: where it is, and its record."""

    directory: Path
    record: Record

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files, in order."""
        return tuple(self.directory / file.name for file in self.record.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.record.files)


def distribution_dir(name: str) -> Path:
    """Return where the versions of a distribution (a normalized name) are kept."""
    return cache_dir() / "pypi" / name


def kept(name: str | None = None) -> list[Kept]:
    """Every whole model of the store, or of one distribution, the newest first.

    A model whose files are missing or of another length than recorded does not count.
    """
    found = []
    for record_file in (cache_dir() / "pypi").glob(f"{name or '*'}/*/{RECORD}"):
        record = _read(record_file)
        if record is not None and _whole(model := Kept(record_file.parent, record)):
            found.append(model)
    return sorted(found, key=lambda model: model.record.fetched, reverse=True)


def find_kept(name: str, version: str | None) -> Kept | None:
    """Return a kept version of a distribution; the one fetched last, if `version` is None."""
    return next((model for model in kept(name) if version in {None, model.record.version}), None)


def _whole(model: Kept) -> bool:
    for path, file in zip(model.paths, model.record.files, strict=True):
        if not path.is_file() or path.stat().st_size != file.size:
            return False
    return bool(model.record.files)


def _read(path: Path) -> Record | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(KeptFile(str(f["name"]), int(f["size"]), str(f["sha256"])) for f in fields["files"])
        archives = tuple(str(a) for a in fields["archives"])
        if any(Path(f.name).name != f.name for f in files):
            return None
        return Record(
            str(fields["distribution"]), str(fields["version"]), files, archives, float(fields["fetched"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no record that this version can read: the model is fetched anew


def keep(work: Path, record: Record) -> Kept:
    """Move a finished directory of files into the store; whoever looks sees all of it or nothing.

    A model that is there already with the same bytes is left alone: somebody may be reading it.
    """
    there = find_kept(record.distribution, record.version)
    if there is not None and there.record.files == record.files:
        return there
    fields = {**record._asdict(), "files": [file._asdict() for file in record.files]}
    (work / RECORD).write_text(json.dumps(fields, indent=1), encoding="utf-8")
    target = distribution_dir(record.distribution) / record.version
    if target.exists():
        shutil.rmtree(target)
    os.replace(work, target)
    return Kept(target, record)


def forget(model: Kept) -> int:
    """Delete a kept model and return the bytes that this freed."""
    (model.directory / RECORD).unlink(missing_ok=True)  # first: half a deletion must not look whole
    shutil.rmtree(model.directory)
    with suppress(OSError):
        model.directory.parent.rmdir()  # unless another version is there
    return model.size


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """Hold the lock of a distribution and lend a directory in the store's filesystem to work in.

    One process at a time fetches a distribution. What an earlier one left behind is cleared away first,
    and this one's directory at the end, whatever ends it.
    """
    from filelock import FileLock

    home = distribution_dir(name)
    locks = cache_dir() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{name}.lock"):
        for left in home.glob(".partial-*"):
            shutil.rmtree(left, ignore_errors=True)
        work = home / f".partial-{os.getpid()}"
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with suppress(OSError):
                home.rmdir()  # unless a version is there
