"""Which tokens are recognized by their texts, and which of them swallow the spaces beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rushlight.gguf.strings import StringArray
from rushlight.text.partition import Partition, SpecialText
from rushlight.text.vocabulary import TokenType, Vocabulary

_RECOGNIZED = (TokenType.CONTROL, TokenType.UNKNOWN, TokenType.USER_DEFINED)

# That a token swallows spaces is in no metadata; llama.cpp knows it of these, by the model's names.
_MASK_PRE = ("jina-v2-de", "jina-v2-es", "jina-v2-code")
_MASK_ARCHITECTURES = ("nomic-bert-moe", "jina-bert-v3")
_PHI3_NAMES = ("phi-3", "phi3")
_PHI3_KEEPS_SPACE = ("<unk>", "<s>", "<|endoftext|>")


def partition_of(metadata: Mapping[str, Any], vocabulary: Vocabulary) -> Partition:
    """What finds the special tokens of a GGUF vocabulary in a text."""
    texts = (
        vocabulary.texts if isinstance(vocabulary.texts, StringArray) else StringArray.of(vocabulary.texts)
    )
    mask = _mask_token(metadata)
    is_phi3 = mask is None and _holds(metadata, "general.name", _PHI3_NAMES)

    def token(id: int) -> SpecialText:
        text = texts[id]
        hidden = vocabulary.types[id] != TokenType.USER_DEFINED
        strip_right = is_phi3 and text not in _PHI3_KEEPS_SPACE
        return SpecialText(text, id, hidden, strip_left=text == mask, strip_right=strip_right)

    return Partition(texts, vocabulary.ids_of_types(*_RECOGNIZED), token)


def _mask_token(metadata: Mapping[str, Any]) -> str | None:
    """The mask token that swallows the spaces before it, if there is one."""
    if _holds(metadata, "tokenizer.ggml.pre", _MASK_PRE) or _holds(
        metadata, "general.architecture", _MASK_ARCHITECTURES
    ):
        return "<mask>"
    if _holds(metadata, "general.name", ("modern-bert",)) and not _holds(
        metadata, "general.name", _PHI3_NAMES
    ):
        return "[MASK]"
    return None


def _holds(metadata: Mapping[str, Any], key: str, parts: tuple[str, ...]) -> bool:
    value = str(metadata.get(key, ""))
    shown = value.lower() if key == "general.name" else value
    return any(part in shown for part in parts)
