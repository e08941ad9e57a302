"""What goes wrong on the Hugging Face Hub, turned into Rushlight's errors."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from rushlight.errors import CorruptDownload, GatedModel, ModelNotFound, NetworkUnavailable, RushlightError
from rushlight.hub.hub_cache import cached_names, hub_cache_dir
from rushlight.hub.near import listing
from rushlight.hub.reference import HubReference
from rushlight.hub.verify import no_space

OTHER_CACHE = "set HF_HOME to a directory on another disk"
_LOG_IN = (
    "Accept its licence on the page of the repo, then log in with 'hf auth login' or set HF_TOKEN to a token "
    "that may read it."
)


def translate(error: Exception, want: HubReference) -> RushlightError | None:
    """Return the Rushlight error that says what `error` means for `want`, or None if it is none of ours.

    Covers what `huggingface_hub` raises: missing repo, revision or file, gated and private repos, no
    network, offline mode, a host that fails, a full disk and a download that came out short.
    """
    from huggingface_hub import errors as hf

    if isinstance(error, hf.GatedRepoError):
        return GatedModel(f"The repo {want.repo} is gated, and this account may not read it. {_LOG_IN}")
    if isinstance(error, hf.RepositoryNotFoundError):
        return ModelNotFound(
            f"The Hugging Face Hub has no model repo {want.repo}, or it is private. Check the spelling; for "
            "a private repo log in with 'hf auth login' or set HF_TOKEN."
        )
    if isinstance(error, hf.RevisionNotFoundError):
        return ModelNotFound(f"The repo {want.repo} has no revision {want.revision or 'main'}.")
    if isinstance(error, hf.LocalEntryNotFoundError | hf.OfflineModeIsEnabled):
        return _offline(want, error)
    if isinstance(error, hf.EntryNotFoundError):
        return ModelNotFound(
            f"The repo {want.repo} has no file {want.file} at revision {want.revision or 'main'}."
        )
    if isinstance(error, hf.HfHubHTTPError):
        return _by_status(error.response.status_code, want)
    if isinstance(error, hf.HFValidationError):
        return ModelNotFound(f"{want.repo!r} is no valid name of a Hugging Face repo: it reads org/repo.")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ModelNotFound(no_space(want.file or want.repo, hub_cache_dir(), OTHER_CACHE))
    if isinstance(error, OSError) and "onsistency check" in str(error):
        return CorruptDownload(f"The download of {_name(want)} came out with the wrong length; try again.")
    if isinstance(error, transport_errors()):
        return NetworkUnavailable(f"{_host()} cannot be reached ({_short(error)}). {_cache_hint(want)}")
    if isinstance(error, PermissionError):
        return ModelNotFound(
            f"The cache {Path(error.filename or hub_cache_dir())} cannot be written: {error.strerror}."
        )
    return None


def _by_status(status: int, want: HubReference) -> RushlightError:
    if status in {401, 403}:
        return GatedModel(f"The Hub refuses {_name(want)} (HTTP {status}). {_LOG_IN}")
    if status == 404:
        return ModelNotFound(f"The Hub has no {_name(want)} at revision {want.revision or 'main'}.")
    return NetworkUnavailable(f"{_host()} answered with HTTP {status}. Try again later. {_cache_hint(want)}")


def _offline(want: HubReference, error: Exception) -> RushlightError:
    if offline():
        return NetworkUnavailable(
            f"{_name(want)} is not in the cache, and HF_HUB_OFFLINE is set. {_cache_hint(want)}"
        )
    cause = error.__cause__
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        return _by_status(status, want)
    why = f" ({_short(cause)})" if cause is not None else ""
    return NetworkUnavailable(f"{_host()} cannot be reached{why}. {_cache_hint(want)}")


def offline() -> bool:
    """Whether the user forbade the network, as `huggingface_hub` reads it."""
    import os

    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def transport_errors() -> tuple[type[BaseException], ...]:
    """Network errors of whichever HTTP client `huggingface_hub` has loaded: requests, httpx or httpx2."""
    found: list[type[BaseException]] = [ConnectionError, TimeoutError]
    for client, name in (
        ("httpx2", "TransportError"),
        ("httpx", "TransportError"),
        ("requests", "RequestException"),
    ):
        if client in sys.modules:
            found.append(getattr(sys.modules[client], name))
    return tuple(found)


def _host() -> str:
    import os

    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def _name(want: HubReference) -> str:
    return f"{want.repo}/{want.file}" if want.file else want.repo


def _short(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:120] or type(error).__name__


def _cache_hint(want: HubReference) -> str:
    """Say what is on this machine instead."""
    if here := cached_names(want.repo):
        return f"The cache holds of this repo: {listing(here)}."
    return "Check the connection and proxy; 'rushlight list' shows the models that are on this machine."
