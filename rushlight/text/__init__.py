"""Text to tokens and back: tokenizers, streaming text, chat templates."""

from __future__ import annotations

from rushlight.text.loader import load_tokenizer
from rushlight.text.stream import TextStream
from rushlight.text.tokenizer import Tokenizer

__all__ = ["TextStream", "Tokenizer", "load_tokenizer"]
