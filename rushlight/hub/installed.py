"""The models that are kept on this machine: listed and removed."""

from __future__ import annotations

from rushlight.errors import AmbiguousModel, ModelNotFound
from rushlight.hub.hub_cache import Snapshot, find_snapshot, remove_file, snapshots
from rushlight.hub.model import InstalledModel
from rushlight.hub.near import did_you_mean, listing
from rushlight.hub.reference import HubReference, LocalReference, PyPIReference, parse_reference
from rushlight.hub.select import candidates, choose, split_parts
from rushlight.hub.store import forget, kept


def list_models() -> list[InstalledModel]:
    """Every model in Rushlight's store and in the Hugging Face cache, by reference."""
    return sorted([*_from_store(), *_from_hub_cache()], key=lambda model: model.reference.lower())


def remove(reference: str) -> int:
    """Delete a kept model: one file of a Hub repo, or all of its GGUF files if none is named.

    Args:
        reference: as `list_models` gives it, or an alias, or without the version or revision.

    Returns:
        The bytes that were freed.

    Raises:
        ModelNotFound: no such model is kept; a local file is never removed.
    """
    want = parse_reference(reference)
    if isinstance(want, LocalReference):
        raise ModelNotFound(
            f"{reference} is a file of your own, not one that Rushlight keeps; delete it yourself."
        )
    freed = _remove_kept(want) if isinstance(want, PyPIReference) else _remove_cached(reference, want)
    if freed is None:
        known = [model.reference for model in list_models()]
        here = f"Kept here: {listing(known)}." if known else "No model is kept here."
        raise ModelNotFound(f"{reference} is not on this machine{did_you_mean(reference, known)}. {here}")
    return freed


def _from_store() -> list[InstalledModel]:
    return [
        InstalledModel(
            f"pypi:{k.record.distribution}@{k.record.version}",
            k.paths,
            "pypi",
            k.record.version,
            k.size,
            k.record.fetched,
        )
        for k in kept()
    ]


def _from_hub_cache() -> list[InstalledModel]:
    found = []
    for snapshot in snapshots():
        for model in candidates(snapshot.files()):
            paths = tuple(snapshot.path / file for file in model.files)
            if not all(path.is_file() for path in paths):
                continue  # a split model of which parts are missing
            stats = [path.stat() for path in paths]
            size, modified = sum(s.st_size for s in stats), max(s.st_mtime for s in stats)
            reference = _reference(snapshot, model.files[0])
            found.append(InstalledModel(reference, paths, "huggingface", snapshot.commit, size, modified))
    return found


def _reference(snapshot: Snapshot, file: str) -> str:
    """Return the reference of a cached file; with its commit, unless the main branch is there."""
    main = find_snapshot(snapshot.repo, None)
    suffix = "" if main is not None and main.commit == snapshot.commit else f"@{snapshot.commit}"
    return f"{snapshot.repo}/{file}{suffix}"


def _remove_kept(want: PyPIReference) -> int | None:
    models = [k for k in kept(want.normalized) if want.version in {None, k.record.version}]
    return sum(forget(k) for k in models) if models else None


def _remove_cached(reference: str, want: HubReference) -> int | None:
    """Delete from one snapshot if a revision is given, else from all of them."""
    places = [s for s in snapshots() if s.repo == want.repo]
    if want.revision is not None:
        pinned = find_snapshot(want.repo, want.revision)
        places = [s for s in places if pinned is not None and s.commit == pinned.commit]
    freed, hit = 0, False
    for place in places:
        here = place.files()
        names = set(here)
        if want.file is not None:
            names = set(split_parts(want.file)) & names
        elif want.quant is not None:
            try:
                names = set(choose(here, quant=want.quant, where=want.repo).files) & names
            except AmbiguousModel:
                raise
            except ModelNotFound:
                continue
        for name in names:
            freed, hit = freed + remove_file(place, name), True
    return freed if hit else None
