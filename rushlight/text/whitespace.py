"""Vocabularies of words (``tokenizer.ggml.model = "whitespace"``): byte-pair encoding without any spaces."""

from __future__ import annotations

import re

from rushlight.text.bpe import BPEEncoder

# Python's \s also takes U+001C to U+001F, which llama.cpp takes for letters.
_SPACES = re.compile("[^\\S\x1c-\x1f]+")


class WhitespaceEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_whitespace_session`` in ``src/llama-vocab.cpp``).

    Args:
        bpe: encodes a word.
        lowercase: words are put in lower case first, a character at a time.
    """

    def __init__(self, bpe: BPEEncoder, lowercase: bool) -> None:
        self._bpe = bpe
        self._lowercase = lowercase

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text."""
        ids: list[int] = []
        for word in filter(None, _SPACES.split(text)):
            shown = "".join(character.lower()[0] for character in word) if self._lowercase else word
            ids += self._bpe.encode(shown, at_start)
        return ids
