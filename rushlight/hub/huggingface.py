"""References to the Hugging Face Hub, through `huggingface_hub` and its standard cache."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from rushlight.errors import CorruptDownload, ModelNotFound, NetworkUnavailable, RushlightError
from rushlight.hub.hub_cache import find_snapshot, hub_cache_dir, repo_dir
from rushlight.hub.hub_errors import OTHER_CACHE, offline, translate, transport_errors
from rushlight.hub.hub_progress import tqdm_for
from rushlight.hub.model import ResolvedModel
from rushlight.hub.near import did_you_mean, listing
from rushlight.hub.reference import HubReference
from rushlight.hub.select import candidates, choose, split_parts
from rushlight.hub.verify import require_space, sha256_of
from rushlight.progress import Progress

_ATTEMPTS = 3
_SHA256 = re.compile(r"[0-9a-f]{64}")


def resolve_hub(
    reference: str, want: HubReference, progress: Progress | None = None, *, refresh: bool = False
) -> ResolvedModel:
    """Find a model of the Hub in the cache, or download it into the cache.

    Args:
        reference: what the user typed.
        want: the same, taken apart.
        progress: told of every chunk that arrives.
        refresh: ask the Hub even if the cache has the model, and fetch what is newer.

    Raises:
        ModelNotFound: no such repo, revision or file, or no room for it; see its subclasses for no
            network, gated repos, ambiguous references and damaged downloads.
    """
    if not refresh and (found := _from_cache(reference, want)):
        return found
    try:
        with _hub_errors(want):
            files = _files(want)
            paths = [_download(want, file, progress) for file in files]
    except NetworkUnavailable:
        if not refresh and (found := _from_cache(reference, want, settle=True)):
            return found
        raise
    return _resolved(reference, paths[0].parents[files[0].count("/")], files)


def _from_cache(reference: str, want: HubReference, *, settle: bool = False) -> ResolvedModel | None:
    """Answer from the cache if it surely holds what is meant; `settle` for the best that it holds.

    Without a file name the best fit of the *repo* is meant. What the cache holds answers for that if it is
    a single model, which an earlier choice brought there.
    """
    snapshot = find_snapshot(want.repo, want.revision)
    if snapshot is None:
        return None
    here = snapshot.files()
    files: tuple[str, ...] = ()
    if want.file is not None:
        files = split_parts(want.file)
    elif settle or want.quant is not None or len(candidates(here)) == 1:
        with suppress(ModelNotFound):
            files = choose(here, quant=want.quant, where=want.repo).files
    return _resolved(reference, snapshot.path, files) if files and set(files) <= set(here) else None


def _resolved(reference: str, snapshot: Path, files: tuple[str, ...]) -> ResolvedModel:
    paths = tuple(snapshot / file for file in files)
    size = sum(path.stat().st_size for path in paths)
    return ResolvedModel(reference, paths, "huggingface", snapshot.name, size)


def _files(want: HubReference) -> tuple[str, ...]:
    if want.file is not None:
        return split_parts(want.file)
    cure = (
        f"Name one, as {want.repo}/FILE"
        if want.quant
        else f"Name one, as {want.repo}/FILE or {want.repo}:QUANT"
    )
    return choose(_repo_files(want), quant=want.quant, where=want.repo, cure=cure).files


def _repo_files(want: HubReference) -> list[str]:
    from huggingface_hub import HfApi

    info = HfApi(endpoint=_endpoint()).model_info(want.repo, revision=want.revision)
    return [sibling.rfilename for sibling in info.siblings or []]


def _download(want: HubReference, file: str, progress: Progress | None) -> Path:
    """Fetch one file; a new one is checked for room before and for its hash after."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    revision, endpoint = want.revision, _endpoint()
    etag = ""
    if not offline():  # offline, the download below says so in the library's own way
        with _near_misses(want, file):
            metadata = get_hf_file_metadata(hf_hub_url(want.repo, file, revision=revision, endpoint=endpoint))
        etag = metadata.etag or ""
        if metadata.size and not (repo_dir(want.repo) / "blobs" / etag).is_file():
            require_space(hub_cache_dir(), metadata.size, file, OTHER_CACHE)
    fresh = not (repo_dir(want.repo) / "blobs" / etag).is_file()
    fetch = partial(hf_hub_download, want.repo, file, revision=revision, endpoint=endpoint)
    path = _insist(partial(fetch, cache_dir=hub_cache_dir(), **tqdm_for(progress, file)))
    if fresh and _SHA256.fullmatch(etag):
        _check(Path(path), etag, progress)
    return Path(path)


def _insist(fetch: Callable[[], str]) -> str:
    """Take a broken download up again: not every version of `huggingface_hub` does so itself."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(*transport_errors()):
            return fetch()
    return fetch()


def _check(path: Path, expected: str, progress: Progress | None) -> None:
    """Compare a new file with its hash, which the Hub gives as the ETag of large files."""
    found = sha256_of(path, progress)
    if found == expected:
        return
    path.resolve().unlink()
    path.unlink(missing_ok=True)  # the link; where links are not used the file is gone already
    raise CorruptDownload(
        f"The download of {path.name} is damaged and was removed: its SHA-256 is {found}, expected "
        f"{expected}. Try again."
    )


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _hub_errors(want: HubReference) -> Iterator[None]:
    """Turn what `huggingface_hub` raises into Rushlight's errors."""
    try:
        yield
    except RushlightError:
        raise
    except Exception as error:
        translated = translate(error, want)
        if translated is None:
            raise
        raise translated from error


@contextmanager
def _near_misses(want: HubReference, file: str) -> Iterator[None]:
    """Add to the error of a missing file or revision what the repo does hold."""
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    try:
        yield
    except (EntryNotFoundError, RevisionNotFoundError) as error:
        about = translate(error, HubReference(want.repo, file, None, want.revision))
        hint = _revisions(want) if isinstance(error, RevisionNotFoundError) else _neighbours(want, file)
        raise ModelNotFound(f"{about}{hint}") from error


def _neighbours(want: HubReference, file: str) -> str:
    with suppress(Exception):  # the hint is a courtesy: the error it belongs to matters more
        models = [m.files[0] for m in candidates(_repo_files(want))]
        return f" It holds {listing(models) or 'no .gguf file'}{did_you_mean(file, models)}."
    return ""


def _revisions(want: HubReference) -> str:
    from huggingface_hub import HfApi

    with suppress(Exception):  # likewise
        refs = HfApi(endpoint=_endpoint()).list_repo_refs(want.repo)
        return f" It has {listing(r.name for r in (*refs.branches, *refs.tags))}."
    return ""
