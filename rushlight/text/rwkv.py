"""RWKV's vocabularies (``tokenizer.ggml.model = "rwkv"``): the longest token first, byte by byte."""

from __future__ import annotations

from rushlight.text.prefixes import Prefixes
from rushlight.text.vocabulary import Vocabulary, unescaped_piece


class RWKVEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_rwkv_session`` in ``src/llama-vocab.cpp``).

    Args:
        vocabulary: the tokens, written with backslash escapes; of equal ones the last counts.
        unk_id: what stands for a byte that no token begins with; None: such a byte is dropped.
    """

    def __init__(self, vocabulary: Vocabulary, unk_id: int | None) -> None:
        ids = {unescaped_piece(text): id for id, text in enumerate(vocabulary.texts)}
        self._prefixes = Prefixes(ids)
        self._unknown = [] if unk_id is None else [unk_id]

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text; `at_start` makes no difference here."""
        data, ids, place = text.encode(), [], 0
        while place < len(data):
            found = self._prefixes.at(data, place)
            if found:
                place, id = found[-1]
                ids.append(id)
            else:
                place += 1
                ids += self._unknown
        return ids
