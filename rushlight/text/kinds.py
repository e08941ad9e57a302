"""The kinds of tokenizer that ``tokenizer.ggml.model`` can name, and how each is built from a GGUF file.

Names and defaults are those of llama.cpp (``llama_vocab::impl::load`` in ``src/llama-vocab.cpp``,
https://github.com/ggml-org/llama.cpp). Encoders of the rarer kinds are imported when a file needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rushlight.errors import InvalidFile, UnsupportedTokenizer
from rushlight.gguf.strings import StringArray
from rushlight.gguf.values import shown
from rushlight.text.bpe import BPEEncoder
from rushlight.text.gguf_info import flag, read_added, read_bytes, read_info, read_scores, unknown_id
from rushlight.text.gguf_tokenizer import Encoder, GGUFTokenizer
from rushlight.text.pre_tokenizers import PreTokenizer, pre_tokenizer
from rushlight.text.recognized import partition_of
from rushlight.text.special import find_special_tokens
from rushlight.text.spm import SPMEncoder
from rushlight.text.tokenizer import Added
from rushlight.text.vocabulary import Spelling, Vocabulary, read_vocabulary, string_array

_NO_VOCABULARY = ("no_vocab", "none")


class Kind(NamedTuple):
    """One kind of tokenizer.

    Attributes:
        summary: what it is, in a few words.
        build: makes the tokenizer of a file of this kind.
    """

    summary: str
    build: Callable[[Mapping[str, Any]], GGUFTokenizer]


def tokenizer_from_metadata(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    """Build the tokenizer that a GGUF file describes.

    Args:
        metadata: of the file; the ``tokenizer.*`` entries, ``general.name`` and ``general.architecture`` are
            read.

    Raises:
        InvalidFile: entries are missing or do not fit together.
        UnsupportedTokenizer: the model or the pre-tokenizer is not implemented.
    """
    model = metadata.get("tokenizer.ggml.model")
    if not isinstance(model, str):
        raise InvalidFile("tokenizer.ggml.model is missing or no text; the file holds no tokenizer.")
    if model in _NO_VOCABULARY:
        raise UnsupportedTokenizer(
            f"The file has no vocabulary (tokenizer.ggml.model is {shown(model)}); give a tokenizer.json."
        )
    if model not in KINDS:
        known = ", ".join(KINDS)
        raise UnsupportedTokenizer(
            f"Tokenizer model {shown(model)} (tokenizer.ggml.model) is not supported; supported are {known}."
        )
    return KINDS[model].build(metadata)


def _build(
    metadata: Mapping[str, Any],
    vocabulary: Vocabulary,
    defaults: Mapping[str, int],
    added: Added,
    encoder: Callable[[Mapping[str, int], Vocabulary], Encoder],
) -> GGUFTokenizer:
    """A tokenizer, of special tokens by their default ids, and of what makes the encoder out of them."""
    special, marked = find_special_tokens(metadata, vocabulary, defaults)
    info = read_info(metadata, marked, special, added)
    return GGUFTokenizer(info, partition_of(metadata, marked), encoder(special.ids, vocabulary))


def _spm(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    vocabulary = read_vocabulary(metadata, Spelling.SPACE_MARK)
    scores = read_scores(metadata, len(vocabulary))
    added = read_added(metadata, Added(bos=True, space_prefix=True))
    return _build(
        metadata,
        vocabulary,
        {"bos": 1, "eos": 2, "unk": 0},
        added,
        lambda special, vocabulary: SPMEncoder(vocabulary, scores, added.space_prefix),
    )


def _bpe(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    pre, merges = _pre_tokenizer(metadata), _merges(metadata)
    vocabulary = read_vocabulary(metadata, _spelling(pre))
    return _build(
        metadata,
        vocabulary,
        {"bos": 11, "eos": 11} if pre.default_bos else {"eos": 11},
        _bpe_added(metadata, pre),
        lambda special, vocabulary: BPEEncoder(vocabulary, merges, pre),
    )


def _gemma4(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    pre, merges = pre_tokenizer("gemma4"), _merges(metadata)
    vocabulary = read_vocabulary(metadata, _spelling(pre))
    return _build(
        metadata,
        vocabulary,
        {},
        _bpe_added(metadata, pre),
        lambda special, vocabulary: BPEEncoder(vocabulary, merges, pre),
    )


def _whitespace(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.whitespace import WhitespaceEncoder

    pre, merges = _pre_tokenizer(metadata), _merges(metadata)
    vocabulary = read_vocabulary(metadata, _spelling(pre))
    lowercase = flag(metadata, "tokenizer.ggml.normalizer.lowercase", pre.lowercase)
    return _build(
        metadata,
        vocabulary,
        {"bos": 11, "eos": 11},
        _bpe_added(metadata, pre),
        lambda special, vocabulary: WhitespaceEncoder(BPEEncoder(vocabulary, merges, pre), lowercase),
    )


def _hybriddna(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.dna import DNAEncoder, without_marks

    pre, merges = _pre_tokenizer(metadata), _merges(metadata)
    vocabulary = read_vocabulary(metadata, _spelling(pre))
    return _build(
        metadata,
        without_marks(vocabulary),
        {"bos": 11, "eos": 11} if pre.default_bos else {"eos": 11},
        _bpe_added(metadata, pre),
        lambda special, vocabulary: DNAEncoder(vocabulary, BPEEncoder(vocabulary, merges, pre)),
    )


def _wpm(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.wpm import WPMEncoder

    vocabulary = read_vocabulary(metadata, Spelling.SPACE_MARK)
    lowercase = flag(metadata, "tokenizer.ggml.normalizer.lowercase", True)
    strip_accents = flag(metadata, "tokenizer.ggml.normalizer.strip_accents", lowercase)
    return _build(
        metadata,
        vocabulary,
        {"bos": 101, "unk": 100, "sep": 102, "pad": 0, "mask": 103},
        Added(bos=True, sep=True),
        lambda special, vocabulary: WPMEncoder(vocabulary, unknown_id(special), lowercase, strip_accents),
    )


def _ugm(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.charsmap import CharsMap
    from rushlight.text.ugm import UGMEncoder

    vocabulary = read_vocabulary(metadata, Spelling.SPACE_MARK)
    scores = read_scores(metadata, len(vocabulary))
    charsmap = CharsMap(read_bytes(metadata, "tokenizer.ggml.precompiled_charsmap"))
    merge_spaces = flag(metadata, "tokenizer.ggml.remove_extra_whitespaces", False)
    added = read_added(metadata, Added(eos=True))
    return _build(
        metadata,
        vocabulary,
        {"eos": 1, "unk": 2, "pad": 0},
        added,
        lambda special, vocabulary: UGMEncoder(
            vocabulary, scores, unknown_id(special), charsmap, added.space_prefix, merge_spaces
        ),
    )


def _rwkv(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.rwkv import RWKVEncoder

    return _build(
        metadata,
        read_vocabulary(metadata, Spelling.ESCAPED),
        {},
        Added(),
        lambda special, vocabulary: RWKVEncoder(vocabulary, special.get("unk")),
    )


def _plamo2(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    from rushlight.text.plamo2 import PLaMo2Encoder

    vocabulary = read_vocabulary(metadata, Spelling.PLAIN)
    scores = read_scores(metadata, len(vocabulary))
    return _build(
        metadata,
        vocabulary,
        {"bos": 1, "eos": 2, "unk": 0, "pad": 3},
        Added(),
        lambda special, vocabulary: PLaMo2Encoder(vocabulary, scores),
    )


KINDS: dict[str, Kind] = {
    "gpt2": Kind("byte-pair encoding", _bpe),
    "gemma4": Kind("byte-pair encoding with spaces as U+2581 (Gemma 4)", _gemma4),
    "llama": Kind("SentencePiece, merged by score", _spm),
    "bert": Kind("WordPiece", _wpm),
    "t5": Kind("SentencePiece Unigram", _ugm),
    "rwkv": Kind("RWKV: the longest token first", _rwkv),
    "plamo2": Kind("PLaMo 2: the cheapest cut", _plamo2),
    "whitespace": Kind("byte-pair encoding of words without the spaces between them", _whitespace),
    "hybriddna": Kind("byte-pair encoding, and six bases of DNA a token", _hybriddna),
}


def _pre_tokenizer(metadata: Mapping[str, Any]) -> PreTokenizer:
    name = metadata.get("tokenizer.ggml.pre", "")
    if not isinstance(name, str):
        raise InvalidFile("tokenizer.ggml.pre is no text; the name of a pre-tokenizer was expected.")
    return pre_tokenizer(name or "default")  # as in llama.cpp, for files that are older than the key


def _merges(metadata: Mapping[str, Any]) -> StringArray:
    key = "tokenizer.ggml.merges"
    if metadata.get("tokenizer.ggml.pre") == "kimi-k2" and key not in metadata:
        return StringArray.of(())
    return string_array(metadata, key)


def _bpe_added(metadata: Mapping[str, Any], pre: PreTokenizer) -> Added:
    added = read_added(metadata, Added(bos=pre.add_bos))
    return added._replace(bos=added.bos or pre.always_bos, space_prefix=False)


def _spelling(pre: PreTokenizer) -> Spelling:
    if pre.byte_level:
        return Spelling.BYTE_LEVEL
    return Spelling.SPACE_MARK if pre.escape_spaces else Spelling.PLAIN
