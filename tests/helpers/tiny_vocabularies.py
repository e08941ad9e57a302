"""GGUF metadata of small tokenizers, written by hand for the tests of rushlight.text."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.text.byte_alphabet import CHARACTER_OF_BYTE

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def spm_metadata(
    pieces: dict[str, float], specials: dict[str, int] | None = None, **extra: Any
) -> dict[str, Any]:
    """A SentencePiece vocabulary: <unk>, <s>, </s>, 256 bytes, `specials` (text to type), then `pieces`."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256]
    specials = specials or {}
    tokens += [*specials, *pieces]
    types += [*specials.values(), *[NORMAL] * len(pieces)]
    scores = [0.0] * (len(tokens) - len(pieces)) + list(pieces.values())
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": np.array(scores, np.float32),
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        **{f"tokenizer.ggml.{key}": value for key, value in extra.items()},
    }


def bpe_metadata(
    merges: list[str], specials: dict[str, int] | None = None, pre: str | None = "gpt-2", **extra: Any
) -> dict[str, Any]:
    """A byte-level vocabulary: the 256 bytes, what `merges` make, then `specials` (text to type)."""
    tokens = [CHARACTER_OF_BYTE[byte] for byte in range(256)]
    tokens += list(dict.fromkeys(merge.replace(" ", "") for merge in merges))
    types = [NORMAL] * len(tokens)
    specials = specials or {}
    return {
        "tokenizer.ggml.model": "gpt2",
        **({"tokenizer.ggml.pre": pre} if pre else {}),
        "tokenizer.ggml.tokens": [*tokens, *specials],
        "tokenizer.ggml.token_type": np.array([*types, *specials.values()], np.int32),
        "tokenizer.ggml.merges": merges,
        **{f"tokenizer.ggml.{key}": value for key, value in extra.items()},
    }
