"""Kinds and flags of tokenizers that no vocabulary file at hand has, as llama.cpp tokenizes with them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from goldens.small_vocabularies import SMALL_VOCABULARIES

from rushlight.text import Tokenizer, load_tokenizer

GOLDEN = Path(__file__).parents[1] / "goldens" / "small_tokens.json"


@cache
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text("utf-8"))


@cache
def tokenizer(name: str) -> Tokenizer:
    return load_tokenizer(SimpleNamespace(metadata=SMALL_VOCABULARIES[name]))


def test_every_vocabulary_is_recorded() -> None:
    assert list(golden()["vocabularies"]) == list(SMALL_VOCABULARIES)


@pytest.mark.parametrize("name", SMALL_VOCABULARIES)
def test_ids_are_llama_cpps(name: str) -> None:
    for text, want in zip(golden()["strings"], golden()["vocabularies"][name]["ids"], strict=True):
        assert tokenizer(name).encode(text) == want, repr(text)


@pytest.mark.parametrize("name", SMALL_VOCABULARIES)
def test_pieces_are_llama_cpps(name: str) -> None:
    pieces = [tokenizer(name).token_bytes(id).hex() for id in range(tokenizer(name).n_vocab)]
    unknown = b"[UNK_BYTE".hex()  # llama.cpp's message for text outside of GPT-2's alphabet
    for id, (got, want) in enumerate(zip(pieces, golden()["vocabularies"][name]["pieces"], strict=True)):
        assert want.startswith(unknown) or got == want, id
