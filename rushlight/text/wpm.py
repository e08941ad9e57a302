"""WordPiece vocabularies (``tokenizer.ggml.model = "bert"``): the longest token first, word by word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rushlight.text.prefixes import Prefixes
from rushlight.text.vocabulary import SPACE_MARK, Vocabulary
from rushlight.text.word_cache import WordCache

# The last range but two begins where BERT's does not (U+2B820), in llama.cpp as in the `tokenizers` library.
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
_CONTROL = ("Cc", "Cf", "Co", "Cs")
_SPACES = "\t\n\v\f\r\x85"  # beside those of the category Z


class WPMEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_wpm_session`` in ``src/llama-vocab.cpp``).

    A text is cut at spaces; a punctuation mark and a Chinese character are words of their own. A word is
    spelled with the longest tokens from the left; one that cannot be spelled to its end is the unknown token.
    GGUF files write a token at the beginning of a word with U+2581 and the others without ``##``.

    Accents are taken away as llama.cpp does: of a character's canonical decomposition the first code point
    remains, so a Hangul syllable becomes its leading consonant (in transformers all its letters remain).
    Categories are those of Python's own Unicode tables.

    Args:
        vocabulary: the tokens.
        unk_id: what stands for a word that cannot be spelled.
        lowercase: words are put in lower case.
        strip_accents: accents are taken away.
    """

    def __init__(self, vocabulary: Vocabulary, unk_id: int, lowercase: bool, strip_accents: bool) -> None:
        self._prefixes = Prefixes(vocabulary.ids)
        self._unk_id = unk_id
        self._lowercase = lowercase
        self._strip_accents = strip_accents
        self._words = WordCache(self._encode_word)

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text; `at_start` makes no difference here."""
        ids: list[int] = []
        for word in self._split(text):
            ids += self._words[word]
        return ids

    def _split(self, text: str) -> Iterator[str]:
        word = ""
        for character in text:
            base = _base(character) if self._strip_accents else character
            category = unicodedata.category(base)
            if category[0] == "Z" or base in _SPACES:
                if word:
                    yield word
                word = ""
                continue
            if base == "\ufffd" or category in _CONTROL or (self._strip_accents and category[0] == "M"):
                continue
            shown = base.lower()[0] if self._lowercase else base
            if _is_word(base, category):
                if word:
                    yield word
                yield shown
                word = ""
            else:
                word += shown
        if word:
            yield word

    def _encode_word(self, word: str) -> list[int]:
        marked, ids, place = SPACE_MARK + word, [], 0
        while place < len(marked):
            found = self._prefixes.at(marked, place)
            if not found:
                return [self._unk_id]
            place, id = found[-1]
            ids.append(id)
        return ids


def _base(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0]


def _is_word(character: str, category: str) -> bool:
    """Whether a character is a word of its own: punctuation, an ASCII symbol, a Chinese character."""
    if category[0] == "P" or (category[0] == "S" and character < "\x7f"):
        return True
    return any(first <= ord(character) <= last for first, last in _CHINESE)
