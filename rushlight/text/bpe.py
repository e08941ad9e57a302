"""Byte-pair vocabularies (``tokenizer.ggml.model = "gpt2"``): cut into words, then merge by rank."""

from __future__ import annotations

from rushlight.gguf.strings import StringArray
from rushlight.text.byte_alphabet import to_alphabet
from rushlight.text.merge import merge
from rushlight.text.pre_tokenizers import PreTokenizer
from rushlight.text.string_index import StringIndex
from rushlight.text.vocabulary import SPACE_MARK, Vocabulary
from rushlight.text.word_cache import WordCache
from rushlight.text.words import WordSplitter


class BPEEncoder:
    """Encodes plain text as llama.cpp does (``llm_tokenizer_bpe_session`` in ``src/llama-vocab.cpp``).

    Args:
        vocabulary: the tokens.
        merges: ``"left right"`` pairs, the most urgent first (``tokenizer.ggml.merges``); of a pair
            that is listed twice the first place counts.
        pre_tokenizer: how text is cut into words.
    """

    def __init__(self, vocabulary: Vocabulary, merges: StringArray, pre_tokenizer: PreTokenizer) -> None:
        self._vocabulary = vocabulary
        self._ranks = StringIndex(merges)
        self._pre = pre_tokenizer
        self._split = WordSplitter(pre_tokenizer.cuts)
        self._words = WordCache(self._encode_word)

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a plain text.

        Args:
            text: not empty, without special tokens.
            at_start: nothing or a special token stands before it; it makes no difference here.
        """
        if self._pre.escape_spaces:
            text = text.replace(" ", SPACE_MARK)
        ids: list[int] = []
        for word in self._split(text):
            ids += self._words[word]
        return ids

    def _encode_word(self, word: str) -> list[int]:
        ids = self._vocabulary.ids
        symbols = to_alphabet(word) if self._pre.byte_level else word
        is_whole = self._pre.ignore_merges or (self._pre.whole_newlines and not word.strip("\n"))
        if is_whole and symbols in ids:
            return [ids[symbols]]
        out: list[int] = []
        for symbol in merge(symbols, self._ranks, " "):
            id = ids.get(symbol)
            out += self._parts_of(symbol) if id is None else [id]
        return out

    def _parts_of(self, symbol: str) -> list[int]:
        """What stands for a symbol without a token: its ASCII characters, or byte tokens; others drop."""
        ids = self._vocabulary.ids
        if self._pre.byte_level:
            return [ids[character] for character in symbol if character.isascii() and character in ids]
        names = (f"<0x{byte:02X}>" for byte in symbol.encode("utf-8"))
        return [ids[name] for name in names if name in ids]
