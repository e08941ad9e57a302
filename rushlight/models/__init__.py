"""Models: one file per ``general.architecture``, named after it; `load_model` picks one for a file."""

from __future__ import annotations

from rushlight.models.decoder import CausalModel
from rushlight.models.loader import load_model, module_of, supported_architectures

__all__ = ["CausalModel", "load_model", "module_of", "supported_architectures"]
