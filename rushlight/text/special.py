"""Find the special tokens of a GGUF vocabulary: by the file's keys, by default, and by their texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from rushlight.errors import InvalidFile
from rushlight.gguf.values import shown
from rushlight.text.special_names import END_TEXTS, ID_KEYS, SHOWN_TEXTS, TEXTS
from rushlight.text.vocabulary import TokenType, Vocabulary

_UNSET = (-1, 0xFFFFFFFF)  # what converters write for "none"
_NEEDED = ("bos", "eos", "eot", "eom", "unk")  # a wrong one of these gives wrong words, unlike pad or mask


class SpecialTokens(NamedTuple):
    """The ids of the special tokens, None where the model has none.

    Attributes:
        ids: role (a key of `rushlight.text.special_names.ID_KEYS`) to id.
        named: the roles that the file itself names, rather than a default or a text.
        end_ids: all tokens that end a generation.
    """

    ids: Mapping[str, int]
    named: frozenset[str]
    end_ids: frozenset[int]


def find_special_tokens(
    metadata: Mapping[str, Any], vocabulary: Vocabulary, defaults: Mapping[str, int]
) -> tuple[SpecialTokens, Vocabulary]:
    """Find the special tokens as llama.cpp does (``llama_vocab::impl::load`` in ``src/llama-vocab.cpp``).

    Args:
        metadata: of the GGUF file.
        vocabulary: its tokens.
        defaults: role to id, for the roles that the file does not name.

    Returns:
        The special tokens, and the vocabulary with the types of tokens corrected that files often mark wrong.

    Raises:
        InvalidFile: a key that matters for generation names an id outside the vocabulary.
    """
    named = _named_ids(metadata, len(vocabulary))
    found = {role: id for role, id in defaults.items() if id < len(vocabulary)} | named
    ids = {role: id for role, id in found.items() if id is not None}
    types = bytearray(vocabulary.types)
    for role, texts in TEXTS.items():
        if role in ids:
            continue
        for id in _ids_of(texts, vocabulary):
            ids[role] = id
            types[id] = TokenType.CONTROL
            break
    ends = {ids[role] for role in ("fim_pad", "fim_rep", "fim_sep", "eos", "eot", "eom") if role in ids}
    for id in _ids_of(END_TEXTS, vocabulary):
        ends.add(id)
        types[id] = TokenType.CONTROL
    for id in _ids_of(SHOWN_TEXTS, vocabulary):
        types[id] = TokenType.USER_DEFINED
    _drop_false_ends(ends, types, vocabulary)
    special = SpecialTokens(ids, frozenset(role for role in named if role in ids), frozenset(ends))
    return special, replace(vocabulary, types=bytes(types))


def _named_ids(metadata: Mapping[str, Any], n_vocab: int) -> dict[str, int | None]:
    named: dict[str, int | None] = {}
    for role, keys in ID_KEYS.items():
        key = next((key for key in keys if key in metadata), None)
        if key is None:
            continue
        id = metadata[key]
        if not isinstance(id, int) or isinstance(id, bool):
            raise InvalidFile(f"{key} is {shown(id)}; a token id was expected.")
        if 0 <= id < n_vocab:
            named[role] = id
        elif id in _UNSET or role not in _NEEDED:
            named[role] = None
        else:
            raise InvalidFile(f"{key} is {id}, but the vocabulary has {n_vocab} tokens.")
    return named


def _ids_of(texts: Iterable[str], vocabulary: Vocabulary) -> list[int]:
    return [vocabulary.ids[text] for text in texts if text in vocabulary.ids]


def _drop_false_ends(ends: set[int], types: bytearray, vocabulary: Vocabulary) -> None:
    """Take back two texts that end a generation in some models and are ordinary in others."""
    texts = {vocabulary.texts[id] for id in ends}
    calls = texts & {"<|call|>", "<|calls|>"}
    if "<|end|>" in texts and calls and texts & {"<|return|>", "<|flush|>"}:
        ends.remove(vocabulary.ids["<|end|>"])  # gpt-oss, solar-open: it ends a message, not the answer
        types[vocabulary.ids["<|end|>"]] = TokenType.USER_DEFINED
    if "</s>" in texts and texts & {"<|tool_response>", "<|plamo:eos|>"}:
        ends.remove(vocabulary.ids["</s>"])  # gemma4, plamo: an HTML tag
        types[vocabulary.ids["</s>"]] = TokenType.NORMAL
