"""Build a tokenizer from the metadata of a GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rushlight.errors import InvalidFile, UnsupportedTokenizer
from rushlight.gguf.strings import StringArray
from rushlight.text.bpe import BPEEncoder
from rushlight.text.partition import Partition, SpecialText
from rushlight.text.pre_tokenizers import PreTokenizer, pre_tokenizer
from rushlight.text.special import SpecialTokens, find_special_tokens
from rushlight.text.special_names import TEMPLATE_ROLES
from rushlight.text.spm import SPMEncoder
from rushlight.text.tokenizer import Tokenizer, TokenizerInfo, replace_surrogates
from rushlight.text.vocabulary import TokenType, Vocabulary, number_array, read_vocabulary, string_array

_SUPPORTED = ("gpt2", "gemma4", "llama")
_TEMPLATE_KEY = "tokenizer.chat_template"
_PARTITIONED = (TokenType.CONTROL, TokenType.UNKNOWN, TokenType.USER_DEFINED)
_PHI3_KEEPS_SPACE = ("<unk>", "<s>", "<|endoftext|>")


class Encoder(Protocol):
    """Encodes plain text, without special tokens."""

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a text; `at_start` if nothing or a special token stands before it."""


class GGUFTokenizer(Tokenizer):
    """A tokenizer built from GGUF metadata, equal to llama.cpp's.

    Args:
        info: vocabulary, special tokens and templates.
        partition: finds special tokens in a text.
        encoder: encodes the text between them.
    """

    def __init__(self, info: TokenizerInfo, partition: Partition, encoder: Encoder) -> None:
        super().__init__(info)
        self._partition = partition
        self._encoder = encoder

    def encode(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """See `Tokenizer.encode`."""
        ids = [self.bos_id] if add_special and self.add_bos and self.bos_id is not None else []
        at_start = True
        for fragment in self._partition(replace_surrogates(text), parse_special):
            if isinstance(fragment, int):
                ids.append(fragment)
            else:
                ids += self._encoder.encode(fragment, at_start)
            at_start = isinstance(fragment, int)
        if add_special and self.add_eos and self.eos_id is not None:
            ids.append(self.eos_id)
        return ids


def tokenizer_from_metadata(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    """Build the tokenizer that a GGUF file describes.

    Args:
        metadata: of the file; the ``tokenizer.*`` entries, ``general.name`` are read.

    Raises:
        InvalidFile: entries are missing or do not fit together.
        UnsupportedTokenizer: the model or the pre-tokenizer is not implemented.
    """
    model = metadata.get("tokenizer.ggml.model")
    if not isinstance(model, str):
        raise InvalidFile("tokenizer.ggml.model is missing or no text; the file holds no tokenizer.")
    if model not in _SUPPORTED:
        known = ", ".join(_SUPPORTED)
        raise UnsupportedTokenizer(
            f"Tokenizer model {model!r} (tokenizer.ggml.model) is not supported; supported are {known}."
        )
    return _spm_tokenizer(metadata) if model == "llama" else _bpe_tokenizer(metadata, model)


def _spm_tokenizer(metadata: Mapping[str, Any]) -> GGUFTokenizer:
    vocabulary = read_vocabulary(metadata, byte_level=False)
    scores = number_array(metadata, "tokenizer.ggml.scores", len(vocabulary))
    if scores is None:
        raise InvalidFile("tokenizer.ggml.scores is missing; a SentencePiece vocabulary needs its scores.")
    special, vocabulary = find_special_tokens(metadata, vocabulary, {"bos": 1, "eos": 2, "unk": 0})
    info = _info(metadata, vocabulary, special, add_bos=True, add_space_prefix=True)
    return GGUFTokenizer(
        info, _partition(metadata, vocabulary), SPMEncoder(vocabulary, scores, info.add_space_prefix)
    )


def _bpe_tokenizer(metadata: Mapping[str, Any], model: str) -> GGUFTokenizer:
    name = "gemma4" if model == "gemma4" else metadata.get("tokenizer.ggml.pre", "")
    if not isinstance(name, str):
        raise InvalidFile("tokenizer.ggml.pre is no text; the name of a pre-tokenizer was expected.")
    name = name or "default"  # as in llama.cpp, for files that are older than the key
    pre = pre_tokenizer(name)
    vocabulary = read_vocabulary(metadata, pre.byte_level)
    has_merges = name != "kimi-k2" or "tokenizer.ggml.merges" in metadata
    merges = string_array(metadata, "tokenizer.ggml.merges") if has_merges else StringArray.of(())
    special, vocabulary = find_special_tokens(metadata, vocabulary, _bpe_defaults(model, pre))
    info = _info(
        metadata,
        vocabulary,
        special,
        add_bos=pre.add_bos,
        add_space_prefix=False,
        always_bos=pre.always_bos,
    )
    return GGUFTokenizer(info, _partition(metadata, vocabulary), BPEEncoder(vocabulary, merges, pre))


def _bpe_defaults(model: str, pre: PreTokenizer) -> dict[str, int]:
    if model == "gemma4":
        return {}
    return {"bos": 11, "eos": 11} if pre.default_bos else {"eos": 11}


def _info(
    metadata: Mapping[str, Any],
    vocabulary: Vocabulary,
    special: SpecialTokens,
    add_bos: bool,
    add_space_prefix: bool,
    always_bos: bool = False,
) -> TokenizerInfo:
    adds = {
        "bos": always_bos or _flag(metadata, "tokenizer.ggml.add_bos_token", add_bos),
        "eos": _flag(metadata, "tokenizer.ggml.add_eos_token", False),
    }
    for role, added in adds.items():
        if added and role not in special.ids:
            raise InvalidFile(f"tokenizer.ggml.add_{role}_token is true, but the file names no {role} token.")
    templates = {"default": _TEMPLATE_KEY} | {
        key.removeprefix(_TEMPLATE_KEY + "."): key for key in metadata if key.startswith(_TEMPLATE_KEY + ".")
    }
    return TokenizerInfo(
        vocabulary=vocabulary,
        special=special.ids,
        eog_ids=special.end_ids,
        add_bos=adds["bos"],
        add_eos=adds["eos"],
        add_space_prefix=add_space_prefix
        and _flag(metadata, "tokenizer.ggml.add_space_prefix", add_space_prefix),
        special_tokens=_template_tokens(special, vocabulary),
        chat_templates={
            name: metadata[key] for name, key in templates.items() if isinstance(metadata.get(key), str)
        },
    )


def _template_tokens(special: SpecialTokens, vocabulary: Vocabulary) -> dict[str, str]:
    """The tokens a template may name: those of the file, and defaults that are special tokens indeed."""
    hidden = vocabulary.ids_of_types(TokenType.CONTROL, TokenType.UNKNOWN)
    ids = {role: id for role, id in special.ids.items() if role in special.named or id in hidden}
    return {f"{role}_token": vocabulary.texts[ids[role]] for role in TEMPLATE_ROLES if role in ids}


def _flag(metadata: Mapping[str, Any], key: str, default: bool) -> bool:
    value = metadata.get(key, default)
    if not isinstance(value, bool):
        raise InvalidFile(f"{key} is {value!r}; true or false was expected.")
    return value


def _partition(metadata: Mapping[str, Any], vocabulary: Vocabulary) -> Partition:
    """The tokens to recognize in a text.

    Which of them swallow the spaces after them is in no metadata; llama.cpp knows it of Phi-3 by its name.
    """
    name = str(metadata.get("general.name", "")).lower()
    is_phi3 = "phi-3" in name or "phi3" in name
    texts = (
        vocabulary.texts if isinstance(vocabulary.texts, StringArray) else StringArray.of(vocabulary.texts)
    )

    def token(id: int) -> SpecialText:
        text = texts[id]
        hidden = vocabulary.types[id] != TokenType.USER_DEFINED
        return SpecialText(text, id, hidden, strip_right=is_phi3 and text not in _PHI3_KEEPS_SPACE)

    return Partition(texts, vocabulary.ids_of_types(*_PARTITIONED), token)
