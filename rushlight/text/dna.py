"""Vocabularies of text and DNA (``tokenizer.ggml.model = "hybriddna"``): six bases a token."""

from __future__ import annotations

from dataclasses import replace

from rushlight.gguf.strings import StringArray
from rushlight.text.bpe import BPEEncoder
from rushlight.text.vocabulary import Vocabulary

MARK = "\ue000"  # ends the text of a DNA token, which can be that of an ordinary token otherwise
_BEGIN, _END, _UNKNOWN = "<dna>", "</dna>", "<oov>"
_N_BASES = 6


class DNAEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_hybriddna_session`` in ``src/llama-vocab.cpp``).

    What stands between ``<dna>`` and ``</dna>`` is cut into sixes of bases, the last filled with ``A``; the
    rest is byte-pair encoded.

    Args:
        vocabulary: the tokens, with `MARK`.
        bpe: encodes ordinary text.
    """

    def __init__(self, vocabulary: Vocabulary, bpe: BPEEncoder) -> None:
        self._ids = vocabulary.ids
        self._bpe = bpe
        self._has_dna = all(text in self._ids for text in (_BEGIN, _END, _UNKNOWN))

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text; `at_start` makes no difference here."""
        ids: list[int] = []
        while text:
            plain, begin, text = text.partition(_BEGIN) if self._has_dna else (text, "", "")
            ids += self._bpe.encode(plain, at_start) if plain else []
            if begin:
                bases, end, text = text.partition(_END)
                ids += [self._ids[_BEGIN], *self._sixes(bases), *([self._ids[_END]] if end else [])]
        return ids

    def _sixes(self, bases: str) -> list[int]:
        data = bases.encode().upper()  # of bytes, so that ASCII letters alone change
        sixes = [data[i : i + _N_BASES].ljust(_N_BASES, b"A") for i in range(0, len(data), _N_BASES)]
        texts = [six.decode("utf-8", "replace") + MARK for six in sixes]
        return [self._ids.get(text, self._ids[_UNKNOWN]) for text in texts]


def without_marks(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary as it is shown: DNA tokens, which follow ``<oov>``, without `MARK`."""
    first = vocabulary.ids.get(_UNKNOWN, len(vocabulary))
    texts = (text.removesuffix(MARK) if id > first else text for id, text in enumerate(vocabulary.texts))
    return replace(vocabulary, texts=StringArray.of(texts))
