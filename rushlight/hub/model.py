"""What a reference leads to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

Source = Literal["local", "huggingface", "pypi"]


class ResolvedModel(NamedTuple):
    """Files on this machine, ready to be opened.

    Attributes:
        reference: what was asked for.
        paths: the ``.gguf`` files, in order; more than one for a split model.
        source: where they came from.
        revision: commit on the Hugging Face Hub, or version on PyPI; None for a local file.
        size: bytes of all files together.
    """

    reference: str
    paths: tuple[Path, ...]
    source: Source
    revision: str | None
    size: int

    @property
    def path(self) -> Path:
        """The only file, or the first part of a split one."""
        return self.paths[0]


class InstalledModel(NamedTuple):
    """A model that is kept on this machine, as `list_models` reports it.

    Attributes:
        reference: what to type to use it, or to remove it.
        paths: its ``.gguf`` files, in order.
        source: ``"huggingface"`` or ``"pypi"``.
        revision: commit or version.
        size: bytes.
        modified: when it was fetched, in seconds since the epoch.
    """

    reference: str
    paths: tuple[Path, ...]
    source: Source
    revision: str
    size: int
    modified: float
