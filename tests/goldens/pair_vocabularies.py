"""Small vocabularies with what rerankers' files say of pairs of texts, and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goldens.small_vocabularies import SMALL_VOCABULARIES

PAIRS = [
    ("the hello world", "aaaa abcd"),
    ("", "the"),
    ("the", ""),
    ("  the  ", "\n日本語 {query} the"),
    ("hello {", "it's мир!"),
]

TEMPLATE = (
    "<s>Judge the hello.<|end|>\n<s>the: {query}\nabc: {document}<|end|>\n<s><unk>\n\n</s>\n\n{query}\\"
)


def _with(vocabulary: str, **entries: Any) -> Mapping[str, Any]:
    return SMALL_VOCABULARIES[vocabulary] | {f"tokenizer.{key}": value for key, value in entries.items()}


def _flags(bos: bool, eos: bool, sep: bool) -> dict[str, bool]:
    return {f"ggml.add_{role}_token": added for role, added in (("bos", bos), ("eos", eos), ("sep", sep))}


_IDS = {"ggml.bos_token_id": 258, "ggml.eos_token_id": 259, "ggml.seperator_token_id": 261}

PAIR_VOCABULARIES: dict[str, Mapping[str, Any]] = {
    "word piece": _with("word piece"),
    "word piece with all": _with("word piece", **_flags(True, True, True)),
    "word piece with nothing": _with("word piece", **_flags(False, False, False)),
    "unigram": _with("unigram"),
    "unigram of a reranker": _with("unigram", **_flags(True, True, False), **{"ggml.bos_token_id": 3}),
    "byte pairs": _with("jina mask", **_IDS),
    "byte pairs with all": _with("modern-bert mask", **_flags(True, True, True), **_IDS),
    "byte pairs of RoBERTa": _with(
        "jina mask",
        **{"ggml.pre": "roberta-bpe", "ggml.add_bos_token": True, "ggml.add_eos_token": True},
        **_IDS,
    ),
    "template": _with("jina mask", **{"chat_template.rerank": TEMPLATE}, **_IDS),
}
