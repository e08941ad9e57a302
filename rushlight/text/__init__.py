"""Text to tokens and back: tokenizers, streaming text, chat templates."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rushlight.text.loader import load_tokenizer
from rushlight.text.stream import TextStream
from rushlight.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from rushlight.text.default_templates import chat_template_for
    from rushlight.text.template import ChatTemplate

__all__ = ["ChatTemplate", "TextStream", "Tokenizer", "chat_template_for", "load_tokenizer"]

_LAZY = {"ChatTemplate": "rushlight.text.template", "chat_template_for": "rushlight.text.default_templates"}


def __getattr__(name: str) -> Any:
    """Import what needs Jinja at first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'rushlight.text' has no attribute {name!r}")
