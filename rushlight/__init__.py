"""Open-weight language models from quantized GGUF files, in Python, with nothing to compile."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rushlight import errors
    from rushlight.llm import LLM
    from rushlight.params import EngineOptions, SamplingParams

__version__ = "0.1.0"
__all__ = ["LLM", "EngineOptions", "SamplingParams", "__version__", "errors"]

_HOMES = {"LLM": "rushlight.llm", "EngineOptions": "rushlight.params", "SamplingParams": "rushlight.params"}


def __getattr__(name: str) -> Any:
    """Import the public names at first use, so that ``import rushlight`` costs nothing."""
    if name == "errors":
        return importlib.import_module("rushlight.errors")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rushlight' has no attribute {name!r}")
