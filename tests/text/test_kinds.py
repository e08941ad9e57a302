"""Kinds of tokenizers: damage, hostile files, and how long texts take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from goldens.small_vocabularies import SMALL_VOCABULARIES
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidFile, RushlightError
from rushlight.text import Tokenizer, load_tokenizer
from rushlight.text.charsmap import CharsMap
from rushlight.text.prefixes import Prefixes

KINDS = {metadata["tokenizer.ggml.model"]: metadata for metadata in SMALL_VOCABULARIES.values()}


def huge_scores(kind: str, score: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.full(len(KINDS[kind]["tokenizer.ggml.tokens"]), score)


def tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    return load_tokenizer(SimpleNamespace(metadata=metadata))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 400),
    st.text(max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from(
        [np.zeros(3, np.int32), np.full(320, np.nan), np.zeros((2, 2)), np.full(9, 7, np.uint8), {}]
    ),
)


@settings(deadline=None, max_examples=300)
@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)), text=st.text(max_size=20))
def test_no_metadata_brings_it_down(data: st.DataObject, kind: str, text: str) -> None:
    metadata = KINDS[kind] | {
        f"tokenizer.ggml.{key}": None
        for key in (
            "precompiled_charsmap",
            "normalizer.lowercase",
            "remove_extra_whitespaces",
            "add_space_prefix",
        )
    }
    for key in data.draw(st.lists(st.sampled_from(sorted(metadata)), min_size=1, max_size=3)):
        metadata[key] = data.draw(JUNK)
    try:
        t = tokenizer({key: value for key, value in metadata.items() if value is not None})
        assert isinstance(t.decode(t.encode(text)), str)
    except RushlightError:
        return


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("bert", {"unknown_token_id": -1}, "names no unknown token"),
        ("bert", {"seperator_token_id": -1}, "needs the sep token"),
        ("bert", {"normalizer.lowercase": 1}, "true or false was expected"),
        ("t5", {"scores": None}, "scores is missing"),
        ("t5", {"precompiled_charsmap": "x"}, "no array of bytes"),
        ("t5", {"precompiled_charsmap": np.array([9, 0, 0, 0, 1], np.uint8)}, "5 bytes, but an array of 9"),
        ("plamo2", {"token_type": None}, "no token <0x00>"),
        (
            "plamo2",
            {"scores": huge_scores("plamo2", 1e30)},
            "within 214748 of 0",
        ),
        (
            "t5",
            {"scores": huge_scores("t5", 1e300)},
            "not finite as float32",
        ),
        ("whitespace", {"merges": None}, "merges is missing"),
    ],
)
def test_what_is_missing_is_named(kind: str, change: dict[str, Any], message: str) -> None:
    metadata = KINDS[kind] | {f"tokenizer.ggml.{key}": value for key, value in change.items()}
    with pytest.raises(InvalidFile, match=message):
        tokenizer({key: value for key, value in metadata.items() if value is not None})


def charsmap(units: list[int], replacements: bytes) -> CharsMap:
    array = np.array(units, "<u4").tobytes()
    return CharsMap(len(array).to_bytes(4, "little") + array + replacements)


def rule_for_a(value: int) -> list[int]:
    """A double array with one rule, for "a": the root leads to 0x61, where a rule ends, and that to 0x62."""
    units = [0] * 256
    units[0x61] = 3 << 10 | 1 << 8 | ord("a")
    units[0x62] = 1 << 31 | value
    return units


def test_a_charsmap_replaces_the_longest_prefix() -> None:
    assert charsmap(rule_for_a(2), b"x\0yz\0")("baab é") == "byzyzb é"
    assert CharsMap(b"")("a") == "a"


@pytest.mark.parametrize("units", [[0], [1 << 10], rule_for_a(99), rule_for_a(3)[:0x62]])
def test_a_charsmap_that_leads_outside_is_refused(units: list[int]) -> None:
    with pytest.raises(InvalidFile, match="precompiled_charsmap"):
        charsmap(units, b"x")("a")


@given(raw=st.binary(max_size=64), text=st.text(max_size=8))
def test_no_charsmap_brings_it_down(raw: bytes, text: str) -> None:
    try:
        assert isinstance(CharsMap(raw)(text), str)
    except InvalidFile:
        return


@given(
    texts=st.lists(st.text("aé漢", min_size=1, max_size=5), max_size=8, unique=True),
    text=st.text("aé漢", max_size=9),
)
def test_prefixes_are_those_of_a_plain_search(texts: list[str], text: str) -> None:
    prefixes = Prefixes({each: i for i, each in enumerate(texts)})
    for start in range(len(text) + 1):
        want = sorted((start + len(each), i) for i, each in enumerate(texts) if text.startswith(each, start))
        assert prefixes.at(text, start) == want


def test_letters_with_accents_are_no_bytes() -> None:
    """Where llama.cpp reads the letter é of a vocabulary of words as the byte 0xE9."""
    metadata = dict(KINDS["whitespace"])
    metadata["tokenizer.ggml.tokens"] = ["é", *metadata["tokenizer.ggml.tokens"][1:]]
    assert tokenizer(metadata).decode([0]) == "é"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_long_word_takes_no_quadratic_time(kind: str) -> None:
    t = tokenizer(KINDS[kind])
    assert len(t.encode("abcdefghij" * 5_000, add_special=False)) >= 1
