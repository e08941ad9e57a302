"""References to files on this machine."""

from __future__ import annotations

from pathlib import Path

from rushlight.errors import InvalidFile, ModelNotFound
from rushlight.hub.model import ResolvedModel
from rushlight.hub.near import did_you_mean, listing
from rushlight.hub.select import split_parts


def resolve_local(reference: str, path: Path) -> ResolvedModel:
    """Find a local file, or all parts of a split model from any one of them.

    Raises:
        ModelNotFound: there is no such file, or a part of it is missing.
        InvalidFile: the file cannot be read.
    """
    if path.is_dir():
        found = listing(sorted(p.name for p in path.glob("*.gguf"))) or "no .gguf file"
        raise ModelNotFound(f"{path} is a directory; name a file in it. It holds {found}.")
    parts = tuple(path.with_name(name) for name in split_parts(path.name))
    for part in parts:
        if not part.is_file():
            raise ModelNotFound(_missing(part, whole=len(parts) == 1))
    try:
        size = sum(part.stat().st_size for part in parts)
        for part in parts:
            part.open("rb").close()
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}.") from error
    return ResolvedModel(reference, parts, "local", None, size)


def _missing(part: Path, *, whole: bool) -> str:
    if not part.parent.is_dir():
        return f"There is no directory {part.parent}, so no file {part}."
    if not whole:
        return f"The split model lacks its part {part}; put all parts into one directory."
    names = (p.name for p in part.parent.glob("*.gguf"))
    return f"There is no file {part}{did_you_mean(part.name, names)}."
