"""What a GGUF file says of its tokenizer beside the way of encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile
from rushlight.gguf.values import shown
from rushlight.text.special import SpecialTokens
from rushlight.text.special_names import TEMPLATE_ROLES
from rushlight.text.tokenizer import Added, TokenizerInfo
from rushlight.text.vocabulary import TokenType, Vocabulary, number_array

_TEMPLATE_KEY = "tokenizer.chat_template"
_WITH_SEPARATOR = ("jina-v1-en", "jina-v2-code", "roberta-bpe")
"""Values of ``tokenizer.ggml.pre`` of models that want SEP between two texts, as llama.cpp has it."""


def read_added(metadata: Mapping[str, Any], default: Added) -> Added:
    """What the file wants to be added.

    Args:
        metadata: of the file.
        default: what counts where the file does not say; the SEP token is not the file's to choose.

    Raises:
        InvalidFile: an entry is neither true nor false.
    """
    return Added(
        bos=flag(metadata, "tokenizer.ggml.add_bos_token", default.bos),
        eos=flag(metadata, "tokenizer.ggml.add_eos_token", default.eos),
        sep=default.sep,
        space_prefix=flag(metadata, "tokenizer.ggml.add_space_prefix", default.space_prefix),
    )


def read_info(
    metadata: Mapping[str, Any], vocabulary: Vocabulary, special: SpecialTokens, added: Added
) -> TokenizerInfo:
    """All that there is to know, chat templates included.

    Raises:
        InvalidFile: a token is to be added that the file does not name, or an entry is malformed.
    """
    for role, is_added in (("bos", added.bos), ("eos", added.eos), ("sep", added.sep)):
        if is_added and role not in special.ids:
            raise InvalidFile(
                f"A text needs the {role} token (add_{role}_token), but the file names no {role} token."
            )
    templates = {"default": _TEMPLATE_KEY} | {
        key.removeprefix(_TEMPLATE_KEY + "."): key for key in metadata if key.startswith(_TEMPLATE_KEY + ".")
    }
    return TokenizerInfo(
        vocabulary=vocabulary,
        special=special.ids,
        eog_ids=special.end_ids,
        add_bos=added.bos,
        add_eos=added.eos,
        add_sep=added.sep,
        add_space_prefix=added.space_prefix,
        pair=_pair_of(metadata, added),
        suppress_ids=_suppressed(metadata, len(vocabulary)),
        special_tokens=_template_tokens(special, vocabulary),
        chat_templates={
            name: metadata[key] for name, key in templates.items() if isinstance(metadata.get(key), str)
        },
    )


def _pair_of(metadata: Mapping[str, Any], single: Added) -> Added:
    """What is added to a pair of texts: there every kind of tokenizer lets the file choose."""
    by_name = metadata.get("tokenizer.ggml.pre") in _WITH_SEPARATOR
    return Added(
        bos=flag(metadata, "tokenizer.ggml.add_bos_token", single.bos),
        eos=flag(metadata, "tokenizer.ggml.add_eos_token", single.eos),
        sep=flag(metadata, "tokenizer.ggml.add_sep_token", single.sep or by_name),
    )


def _template_tokens(special: SpecialTokens, vocabulary: Vocabulary) -> dict[str, str]:
    """The tokens a template may name: those of the file, and defaults that are special tokens indeed."""
    hidden = vocabulary.ids_of_types(TokenType.CONTROL, TokenType.UNKNOWN)
    ids = {role: id for role, id in special.ids.items() if role in special.named or id in hidden}
    return {f"{role}_token": vocabulary.texts[ids[role]] for role in TEMPLATE_ROLES if role in ids}


def _suppressed(metadata: Mapping[str, Any], n_vocab: int) -> frozenset[int]:
    """The tokens of ``tokenizer.ggml.suppress_tokens``; those outside the vocabulary do no harm."""
    ids = np.asarray(metadata.get("tokenizer.ggml.suppress_tokens", np.empty(0, np.int32)))
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InvalidFile("tokenizer.ggml.suppress_tokens is no array of token ids.")
    return frozenset(ids[(ids >= 0) & (ids < n_vocab)].tolist())


def flag(metadata: Mapping[str, Any], key: str, default: bool) -> bool:
    """The truth value under `key`. Raises InvalidFile if it is something else."""
    value = metadata.get(key, default)
    if not isinstance(value, bool):
        raise InvalidFile(f"{key} is {shown(value)}; true or false was expected.")
    return value


def read_scores(metadata: Mapping[str, Any], n_vocab: int) -> npt.NDArray[np.float32]:
    """The score of each token: float32 [n_vocab]. Raises InvalidFile if there are none such."""
    scores = number_array(metadata, "tokenizer.ggml.scores", n_vocab)
    if scores is None:
        raise InvalidFile("tokenizer.ggml.scores is missing; this kind of vocabulary needs its scores.")
    with np.errstate(over="ignore"):
        rounded = scores.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise InvalidFile("tokenizer.ggml.scores holds numbers that are not finite as float32.")
    return rounded


def read_bytes(metadata: Mapping[str, Any], key: str) -> bytes:
    """The array of bytes under `key`, empty if there is none. Raises InvalidFile if it is something else."""
    values = np.asarray(metadata.get(key, np.empty(0, np.uint8)))
    if values.ndim != 1 or values.dtype.kind not in "iu" or values.dtype.itemsize != 1:
        raise InvalidFile(f"{key} is no array of bytes.")
    return values.tobytes()


def unknown_id(special: Mapping[str, int]) -> int:
    """The unknown token. Raises InvalidFile if the file names none."""
    if "unk" not in special:
        raise InvalidFile(
            "The file names no unknown token (tokenizer.ggml.unknown_token_id); this kind needs one."
        )
    return special["unk"]
