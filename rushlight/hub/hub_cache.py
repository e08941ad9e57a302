"""The Hugging Face cache as it lies on disk, read without importing `huggingface_hub`.

The layout is the public one of `huggingface_hub`
(https://huggingface.co/docs/huggingface_hub/guides/manage-cache)::

    models--org--name/refs/<revision>              a text file that holds a commit
    models--org--name/snapshots/<commit>/<file>    a link to the blob, or the file itself
    models--org--name/blobs/<etag>

A model that is there is used from there: no request, and half a second of imports saved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_cache_dir() -> Path:
    """Return the cache directory, by the variables that `huggingface_hub` reads."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    home = os.environ.get("HF_HOME") or os.path.join(home, "huggingface")
    place = (
        os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    )
    return Path(os.path.expanduser(os.path.expandvars(place)))


class Snapshot(NamedTuple):
    """One commit of one repo, as far as it is in the cache."""

    repo: str
    commit: str
    path: Path

    def files(self) -> list[str]:
        """Names of its ``.gguf`` files that are whole, as the repo names them, in order."""
        found = (p for p in self.path.rglob("*") if p.suffix.lower() == ".gguf" and p.is_file())
        return sorted(p.relative_to(self.path).as_posix() for p in found)


def repo_dir(repo: str) -> Path:
    """Return the directory of a model repo in the cache, which need not exist."""
    return hub_cache_dir() / f"models--{repo.replace('/', '--')}"


def find_snapshot(repo: str, revision: str | None) -> Snapshot | None:
    """Return the snapshot that a branch, tag or commit led to when it was last fetched."""
    home = repo_dir(repo)
    commit = revision or "main"
    ref = home / "refs" / commit
    try:
        if ref.is_file():
            commit = ref.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    path = home / "snapshots" / commit
    return Snapshot(repo, commit, path) if _COMMIT.fullmatch(commit) and path.is_dir() else None


def snapshots() -> Iterator[Snapshot]:
    """Every snapshot of every model repo in the cache."""
    for home in sorted(hub_cache_dir().glob("models--*--*")):
        repo = home.name[len("models--") :].replace("--", "/", 1)
        for path in sorted(home.glob("snapshots/*")):
            if _COMMIT.fullmatch(path.name) and path.is_dir():
                yield Snapshot(repo, path.name, path)


def cached_names(repo: str) -> list[str]:
    """References to the files of a repo that are in the cache, for messages."""
    return sorted({f"{repo}/{name}" for s in snapshots() if s.repo == repo for name in s.files()})


def remove_file(snapshot: Snapshot, name: str) -> int:
    """Delete a file from a snapshot, and its blob unless another snapshot links to it.

    Whatever the repo still holds stays; a repo left without any file goes altogether.

    Returns:
        The bytes that were freed.
    """
    pointer = snapshot.path / name
    blob = pointer.parent / os.readlink(pointer) if pointer.is_symlink() else None
    size = pointer.stat().st_size
    home = snapshot.path.parent.parent
    pointer.unlink()
    if blob is not None:
        others = (p for p in home.glob("snapshots/**/*") if p.is_symlink())
        blob = Path(os.path.normpath(blob))
        if any(os.path.normpath(p.parent / os.readlink(p)) == str(blob) for p in others):
            return 0
        blob.unlink(missing_ok=True)
    _prune(home, snapshot.path)
    return size


def _prune(home: Path, snapshot: Path) -> None:
    """Drop empty snapshot directories, and the whole repo once no snapshot has a file."""
    import shutil

    for directory in sorted((p for p in snapshot.rglob("*") if p.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()
    if not any(p.is_file() for p in home.glob("snapshots/**/*")):
        shutil.rmtree(home, ignore_errors=True)
