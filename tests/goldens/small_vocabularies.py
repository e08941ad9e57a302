"""Small vocabularies of the kinds, and with the flags, that no vocabulary file at hand has."""

from __future__ import annotations

from typing import Any

import numpy as np

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LETTERS = "abcdefghijklmnopqrstuvwxyz"

# fmt: off
WORDS = [
    "▁the", "▁a", "th", "he", "the", "ing", "▁w", "▁wor", "ld", "▁hello", "hel", "lo",
    "▁1", "12", "123", "23", "▁日", "日本", "日本語", "本語", "é", "▁é", "éa", "👍", "👍🏽", "한",
    "▁▁", "▁▁▁", "!", "?!", "..", "aa", "aaa", "aaaa", "ab", "abc", "bc", "bcd", "cd",
    "It", "'s", "▁I", "мир", "При",
]
# fmt: on


def _metadata(model: str, tokens: list[str], types: list[int], **extra: Any) -> dict[str, Any]:
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": model,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        **{f"tokenizer.ggml.{key}": value for key, value in extra.items()},
    }


def _scores(tokens: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Not in the order of the ids, some of them equal, never whole."""
    return np.array([-0.37 * (i * 7 % 29) - 1 / 3 for i in range(len(tokens))], np.float32)


def _unigram(**flags: Any) -> dict[str, Any]:
    tokens = ["<pad>", "</s>", "<unk>", "<mark>", "<spare>", "▁", *LETTERS, *WORDS]
    types = [CONTROL, CONTROL, UNKNOWN, USER_DEFINED, UNUSED] + [NORMAL] * (len(tokens) - 5)
    return _metadata("t5", tokens, types, scores=_scores(tokens), **flags)


def _plamo2() -> dict[str, Any]:
    words = [*LETTERS, " ", *(word.replace("▁", " ") for word in WORDS)]
    tokens = ["<|plamo:unk|>", "<|plamo:bos|>", "<|plamo:eos|>", "<|plamo:pad|>", *BYTES, *words]
    types = [UNKNOWN, CONTROL, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(words)]
    return _metadata("plamo2", tokens, types, scores=_scores(tokens))


def _rwkv() -> dict[str, Any]:
    plain = [chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in range(256)]
    words = [word.replace("▁", " ") for word in WORDS if len(word) > 1]
    words += ["\\t\\t", "\\n\\n", "\\r\\n", "\\n", "\\\\\\\\", "\\'s", "\\xe6\\x97", "\\xf0\\x9f"]
    tokens = ["<s>", *plain, *words]
    return _metadata("rwkv", tokens, [CONTROL] + [NORMAL] * (len(tokens) - 1))


def _word_piece(**flags: Any) -> dict[str, Any]:
    words = [word if word.startswith("▁") else f"▁{word}" for word in WORDS]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*words, *LETTERS, *WORDS])]
    tokens += [f"▁{letter}" for letter in "ABCÉİßΣσςᄒé語"] + [*"É한ᄒ語", "İ", "i̇"]
    types = [CONTROL, UNKNOWN, CONTROL, CONTROL, CONTROL] + [NORMAL] * (len(tokens) - 5)
    ids = {"bos_token_id": 2, "unknown_token_id": 1, "seperator_token_id": 3, "padding_token_id": 0}
    return _metadata("bert", list(dict.fromkeys(tokens)), types[: len(set(tokens))], **ids, **flags)


def _pairs(model: str, tokens: list[str], specials: dict[str, int], **extra: Any) -> dict[str, Any]:
    """Byte pairs whose merges make the first token from its characters, and so on."""
    merges = [f"{token[:-1]} {token[-1]}" for token in tokens if len(token) > 1]
    merges += [f"{token[:2]} {token[2:]}" for token in tokens if len(token) > 2]
    types = [NORMAL] * len(tokens) + list(specials.values())
    return _metadata(model, [*tokens, *specials], types, merges=merges, **extra)


def _whitespace(**extra: Any) -> dict[str, Any]:
    """Without accents: llama.cpp takes their letters for bytes when it turns tokens into text."""
    words = [*LETTERS, *"ABHI'!?.123日本語", *(word.strip("▁") for word in WORDS if "é" not in word)]
    specials = {"<s>": CONTROL, "</s>": CONTROL, "<unk>": UNKNOWN}
    return _pairs("whitespace", list(dict.fromkeys(filter(None, words))), specials, pre="whitespace", **extra)


def _byte_letters() -> list[str]:
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in range(256)]


def _hybriddna() -> dict[str, Any]:
    tokens = [*_byte_letters(), "CC", "CCC", "AC", "Ġthe", "dna"]
    kmers = [f"{a}{b}{c}{a}{b}{c}\ue000" for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    specials = {"<s>": CONTROL, "<dna>": NORMAL, "</dna>": NORMAL, "<oov>": NORMAL}
    return _pairs("hybriddna", tokens, specials | dict.fromkeys(kmers, NORMAL), pre="gpt-2", bos_token_id=261)


def _masked(mask: str, pre: str, name: str, architecture: str = "llama") -> dict[str, Any]:
    specials = {"<s>": CONTROL, "<|end|>": CONTROL, mask: CONTROL, "</s>": CONTROL, "<unk>": UNKNOWN}
    specials |= {"<|endoftext|>": CONTROL}
    metadata = _pairs("gpt2", [*_byte_letters(), "Ġt", "he"], specials, pre=pre)
    return metadata | {"general.name": name, "general.architecture": architecture}


SMALL_VOCABULARIES: dict[str, dict[str, Any]] = {
    "unigram": _unigram(),
    "unigram prefix": _unigram(add_space_prefix=True),
    "unigram merge": _unigram(remove_extra_whitespaces=True),
    "unigram both": _unigram(add_space_prefix=True, remove_extra_whitespaces=True, add_eos_token=False),
    "plamo2": _plamo2(),
    "rwkv": _rwkv(),
    "word piece": _word_piece(),
    "word piece cased": _word_piece(**{"normalizer.lowercase": False}),
    "word piece cased without accents": _word_piece(
        **{"normalizer.lowercase": False, "normalizer.strip_accents": True}
    ),
    "word piece with accents": _word_piece(**{"normalizer.strip_accents": False}),
    "whitespace": _whitespace(),
    "whitespace lowercase": _whitespace(**{"normalizer.lowercase": True}),
    "hybriddna": _hybriddna(),
    "jina mask": _masked("<mask>", "jina-v2-de", "x"),
    "modern-bert mask": _masked("[MASK]", "modern-bert", "Modern-BERT base"),
    "phi-3": _masked("<mask>", "gpt-2", "Phi-3"),
}
