"""How each pre-tokenizer cuts text."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from helpers.vocab_files import GOLDENS_DIR, vocabulary_file
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import UnsupportedTokenizer
from rushlight.gguf import StringArray, open_gguf
from rushlight.text.bpe import BPEEncoder
from rushlight.text.pre_tokenizers import PRE_TOKENIZERS, PreTokenizer, pre_tokenizer
from rushlight.text.vocabulary import Spelling, Vocabulary, read_vocabulary
from rushlight.text.words import WordSplitter

DISTINCT = list({pre.cuts: name for name, pre in PRE_TOKENIZERS.items()}.values())
MIXED = st.text(st.sampled_from("aB7'sS \n\r\t\u3000é漢か한'٣²!-_.😀\u0301"), max_size=60)


@cache
def golden() -> dict[str, Any]:
    return json.loads((GOLDENS_DIR.parent / "pre_tokens.json").read_text("utf-8"))


@cache
def gpt2() -> tuple[Vocabulary, StringArray]:
    with open_gguf(vocabulary_file("gpt-2")) as file:
        return read_vocabulary(file.metadata, Spelling.BYTE_LEVEL), file.metadata["tokenizer.ggml.merges"]


def test_the_golden_has_every_name() -> None:
    """But the one of a kind of its own, whose words are in test_small_tokens.py."""
    assert sorted([*golden()["ids"], "whitespace"]) == sorted(PRE_TOKENIZERS)


@pytest.mark.parametrize("name", sorted(golden()["ids"]))
def test_ids_are_llama_cpps(name: str) -> None:
    want = golden()["ids"][name]
    want = golden()["ids"][want] if isinstance(want, str) else want
    encoder = BPEEncoder(*gpt2(), PRE_TOKENIZERS[name])
    for text, ids in zip(golden()["strings"], want, strict=True):
        assert encoder.encode(text, at_start=True) == ids, repr(text)


@pytest.mark.parametrize("name", DISTINCT)
@settings(max_examples=25, deadline=None)
@given(text=MIXED)
def test_words_join_to_the_text(name: str, text: str) -> None:
    assert "".join(WordSplitter(PRE_TOKENIZERS[name].cuts)(text)) == text


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gpt-2", "Hello  world's 123!", ["Hello", " ", " world", "'s", " 123", "!"]),
        ("llama-bpe", "1234567 can'T", ["123", "456", "7", " can", "'T"]),
        ("qwen2", "x=12\n\n  y", ["x", "=", "1", "2", "\n\n", " ", " y"]),
        ("smollm", "a 42", ["a", " ", "4", "2"]),
        ("deepseek-v3", "1234漢字ab", ["123", "4", "漢字", "ab"]),
        ("superbpe", "1234567 x", ["1", "234", "567", " x"]),
        ("tiny_aya", "pay 1234567", ["pay", " ", "1", "234", "567"]),
        ("gpt-4o", "camelCase HTTPServer's", ["camel", "Case", " HTTPServer's"]),
        ("gemma4", "a b\n\nc", ["a b", "\n\n", "c"]),
    ],
)
def test_words(name: str, text: str, words: list[str]) -> None:
    assert WordSplitter(PRE_TOKENIZERS[name].cuts)(text) == words


@pytest.mark.parametrize(
    "text", ["7" * 200_000, " " * 200_000 + "x", "a" * 200_000, "A" * 200_000, "\n" * 200_000]
)
@pytest.mark.parametrize("name", ["gpt-2", "llama-bpe", "gpt-4o", "superbpe", "afmoe", "deepseek-llm"])
def test_long_runs_are_cut_in_linear_time(name: str, text: str) -> None:
    """A pattern that looked back over the run at every character would take hours here."""
    assert "".join(WordSplitter(PRE_TOKENIZERS[name].cuts)(text)) == text


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedTokenizer, match=r"'gpt-9'.*tokenizer\.ggml\.pre.*llama-bpe.*qwen2"):
        pre_tokenizer("gpt-9")


def test_a_whole_word_is_a_token_only_where_merges_are_ignored() -> None:
    vocabulary, merges = gpt2()
    word = " independence"
    assert len(BPEEncoder(vocabulary, merges, PRE_TOKENIZERS["gpt-2"]).encode(word, True)) == 1
    without = StringArray.of(merge for merge in merges if merge.replace(" ", "") != "Ġindependence")
    gpt2_cut: PreTokenizer = PRE_TOKENIZERS["gpt-2"]
    assert len(BPEEncoder(vocabulary, without, gpt2_cut).encode(word, True)) > 1
    ignoring = gpt2_cut._replace(ignore_merges=True)
    assert BPEEncoder(vocabulary, without, ignoring).encode(word, True) == [vocabulary.ids["Ġindependence"]]
