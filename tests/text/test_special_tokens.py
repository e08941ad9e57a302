"""Which tokens are special, and what is refused of a vocabulary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.tiny_vocabularies import CONTROL, NORMAL, USER_DEFINED, bpe_metadata, spm_metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidFile, RushlightError, UnsupportedTokenizer
from rushlight.gguf import StringArray
from rushlight.text import Tokenizer, load_tokenizer
from rushlight.text.partition import Partition, SpecialText


def tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    return load_tokenizer(SimpleNamespace(metadata=metadata))


def end_texts(t: Tokenizer) -> set[str]:
    return {t.token_text(id) for id in t.eog_ids}


def test_default_ids_of_each_model() -> None:
    spm = tokenizer(spm_metadata({}))
    assert (spm.bos_id, spm.eos_id, spm.unk_id, spm.add_bos) == (1, 2, 0, True)
    bpe = tokenizer(bpe_metadata([]))
    assert (bpe.bos_id, bpe.eos_id, bpe.unk_id, bpe.add_bos) == (11, 11, None, False)
    assert tokenizer(bpe_metadata([], pre="llama-bpe")).add_bos
    assert tokenizer(bpe_metadata([], pre="glm4")).bos_id is None


def test_no_pre_tokenizer_means_default() -> None:
    ids = tokenizer(bpe_metadata([], pre="default")).encode("1234 don't\n")
    assert tokenizer(bpe_metadata([], pre=None)).encode("1234 don't\n") == ids


def test_end_tokens_are_found_by_text_and_become_control_tokens() -> None:
    t = tokenizer(bpe_metadata([], {"<|im_end|>": USER_DEFINED, "<|endoftext|>": CONTROL}, eos_token_id=257))
    assert end_texts(t) == {"<|im_end|>", "<|endoftext|>"}
    assert t.eot_id == 256
    assert t.is_special(256)
    assert t.decode([256], skip_special=True) == ""


def test_named_end_tokens_and_fill_in_the_middle_tokens_end_too() -> None:
    specials = dict.fromkeys(["<stop>", "<over>", "<done>", "<PAD>", "<REPO>"], CONTROL)
    t = tokenizer(bpe_metadata([], specials, eos_token_id=256, eot_token_id=257, eom_token_id=258))
    assert end_texts(t) == set(specials)


def test_an_inner_end_token_is_no_end() -> None:
    harmony = dict.fromkeys(["<|return|>", "<|call|>", "<|end|>", "<|channel|>"], CONTROL)
    t = tokenizer(bpe_metadata([], harmony, eos_token_id=256))
    assert end_texts(t) == {"<|return|>", "<|call|>"}
    assert not t.is_special(258)
    assert not t.is_special(259)
    phi = tokenizer(bpe_metadata([], {"<|end|>": CONTROL}, eos_token_id=256))
    assert end_texts(phi) == {"<|end|>"}


def test_an_html_tag_is_no_end() -> None:
    t = tokenizer(bpe_metadata([], {"</s>": NORMAL, "<|tool_response>": CONTROL}, eos_token_id=257))
    assert end_texts(t) == {"<|tool_response>"}
    assert not t.is_special(256)


@pytest.mark.parametrize("unset", [-1, 0xFFFFFFFF])
def test_ids_written_as_unset_are_none(unset: int) -> None:
    t = tokenizer(spm_metadata({}, bos_token_id=unset, padding_token_id=unset, add_bos_token=False))
    assert (t.bos_id, t.pad_id) == (None, None)


def test_tokens_that_are_never_written() -> None:
    ids = np.array([-1, 3, 7, 99_999], np.int32)
    assert tokenizer(spm_metadata({}, suppress_tokens=ids)).suppress_ids == {3, 7}
    assert tokenizer(spm_metadata({})).suppress_ids == frozenset()
    assert "no array of token ids" in refused(spm_metadata({}, suppress_tokens="x"))


def test_a_wrong_pad_id_does_no_harm() -> None:
    assert tokenizer(spm_metadata({}, padding_token_id=99_999)).pad_id is None


def refused(metadata: dict[str, Any]) -> str:
    with pytest.raises(InvalidFile) as caught:
        tokenizer(metadata)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.ggml.model": None}, "tokenizer.ggml.model is missing"),
        ({"tokenizer.ggml.tokens": None}, "tokenizer.ggml.tokens is missing"),
        ({"tokenizer.ggml.tokens": []}, "is empty"),
        ({"tokenizer.ggml.tokens": "abc"}, "an array of strings was expected"),
        ({"tokenizer.ggml.tokens": np.zeros(4)}, "an array of strings was expected"),
        ({"tokenizer.ggml.tokens": [1, 2]}, "something other than strings"),
        ({"tokenizer.ggml.tokens": ["a", "b", "a"]}, "Tokens 0 and 2 have the same text 'a'"),
        ({"tokenizer.ggml.scores": None}, "scores is missing"),
        ({"tokenizer.ggml.scores": np.zeros(3, np.float32)}, "has 3 entries for 260 tokens"),
        ({"tokenizer.ggml.scores": np.full(260, np.nan, np.float32)}, "not finite"),
        ({"tokenizer.ggml.scores": ["x"] * 260}, "no array of numbers"),
        ({"tokenizer.ggml.token_type": np.ones(300, np.int32)}, "has 300 entries for 260 tokens"),
        ({"tokenizer.ggml.token_type": np.full(260, 6, np.int32)}, "Token 0 is marked as a byte"),
        ({"tokenizer.ggml.bos_token_id": 260}, "bos_token_id is 260, but the vocabulary has 260 tokens"),
        ({"tokenizer.ggml.eos_token_id": "two"}, "'two'; a token id was expected"),
        ({"tokenizer.ggml.add_bos_token": 1}, "true or false was expected"),
        ({"tokenizer.ggml.add_eos_token": True, "tokenizer.ggml.eos_token_id": -1}, "names no eos token"),
    ],
)
def test_bad_vocabularies_are_refused(change: dict[str, Any], message: str) -> None:
    metadata = spm_metadata({"a": -1.0}) | change
    assert message in refused({key: value for key, value in metadata.items() if value is not None})


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 400),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from([np.zeros(260, np.int32), np.full(260, 3), np.zeros((2, 2)), np.array(["a"]), {}, b"x"]),
)


@settings(deadline=None, max_examples=400)
@given(data=st.data(), is_spm=st.booleans())
def test_no_metadata_brings_it_down(data: st.DataObject, is_spm: bool) -> None:
    metadata = spm_metadata({"a": -1.0}) if is_spm else bpe_metadata(["a b"], {"<|im_end|>": CONTROL})
    metadata |= {"tokenizer.ggml.bos_token_id": 1, "tokenizer.chat_template": "T", "general.name": "phi-3"}
    metadata |= {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.eot_token_id": 3}
    for key in data.draw(st.lists(st.sampled_from(sorted(metadata)), min_size=1, max_size=3)):
        metadata[key] = data.draw(JUNK)
    try:
        t = tokenizer(metadata)
    except RushlightError:
        return
    assert isinstance(t.decode(t.encode("ab <|im_end|> é")), str)


def test_byte_pairs_need_their_merges() -> None:
    metadata = bpe_metadata([])
    del metadata["tokenizer.ggml.merges"]
    assert "tokenizer.ggml.merges is missing" in refused(metadata)


def test_token_types_of_no_meaning_are_undefined() -> None:
    metadata = spm_metadata({"a": -1.0})
    metadata["tokenizer.ggml.token_type"][-1] = 77
    t = tokenizer(metadata)
    assert t.token_bytes(t.n_vocab - 1) == b""


def test_empty_texts_get_names() -> None:
    metadata = bpe_metadata([], {"": NORMAL})
    assert tokenizer(metadata).token_text(256) == "[EMPTY_256]"


def test_unknown_kinds_are_named_with_the_supported_ones() -> None:
    with pytest.raises(UnsupportedTokenizer, match=r"'gpt9'.*supported are gpt2, gemma4, llama, bert, t5"):
        tokenizer(spm_metadata({}) | {"tokenizer.ggml.model": "gpt9"})
    with pytest.raises(UnsupportedTokenizer, match=r"no vocabulary .*'none'.*tokenizer\.json"):
        tokenizer({"tokenizer.ggml.model": "none"})


def partition_of(*tokens: SpecialText) -> Partition:
    """Of these tokens, by their own ids, among others that are not to be recognized."""
    texts = ["b"] * (1 + max(token.id for token in tokens))
    for token in tokens:
        texts[token.id] = token.text
    by_id = {token.id: token for token in tokens}
    return Partition(StringArray.of(texts), sorted(by_id), by_id.__getitem__)


def test_the_longest_special_token_is_found_first_in_the_whole_text() -> None:
    partition = partition_of(
        SpecialText("<a", 1, True), SpecialText("a>b", 2, True), SpecialText("<", 3, False)
    )
    assert partition("x<a>b", parse_special=True) == ["x", 3, 2]
    assert partition("x<a>c", parse_special=True) == ["x", 1, ">c"]
    assert partition("x<a>c", parse_special=False) == ["x", 3, "a>c"]
    assert partition("", parse_special=True) == []


def test_special_tokens_can_swallow_spaces() -> None:
    partition = partition_of(SpecialText("|", 1, False, strip_left=True, strip_right=True))
    assert partition(" a \n| \t| b ", parse_special=True) == [" a", 1, 1, "b "]
    assert partition("\u00a0|\u00a0", parse_special=True) == ["\u00a0", 1, "\u00a0"]


TEXTS = st.text("ab<|é漢>", min_size=1, max_size=7)


@given(special=st.lists(TEXTS, min_size=1, max_size=12, unique=True), text=st.text("ab<|é漢>", max_size=40))
def test_tokens_of_any_length_are_found_where_they_are(special: list[str], text: str) -> None:
    """The longest in bytes first, of equal ones the one of the lowest id: a plain search."""
    partition = partition_of(*(SpecialText(each, i, False) for i, each in enumerate(special)))
    expected: list[str | int] = [text] if text else []
    for each in sorted(special, key=lambda each: -len(each.encode())):
        parts: list[str | int] = []
        for piece in expected:
            if isinstance(piece, int):
                parts.append(piece)
                continue
            for i, between in enumerate(piece.split(each)):
                parts += [special.index(each)] * (i > 0) + [between] * bool(between)
        expected = parts
    assert partition(text, parse_special=False) == expected
