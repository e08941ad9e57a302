"""Look-ups without a dictionary agree with a dictionary."""

from __future__ import annotations

import pytest
from helpers.vocab_files import vocabulary_file
from hypothesis import given
from hypothesis import strategies as st

from rushlight.gguf import StringArray, open_gguf
from rushlight.text import string_index
from rushlight.text.string_index import StringIndex

# Strings that differ only in their length, or only before their last 16 bytes, or not at all.
TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("ab", max_size=40),
    st.builds(lambda head: head + "the same sixteen bytes", st.text("abc", max_size=3)),
    st.sampled_from([" " * n for n in range(1, 40)]),
    st.binary(max_size=4).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


def first_places(texts: list[str]) -> dict[str, int]:
    return {text: texts.index(text) for text in texts}


@given(
    texts=st.lists(TEXTS, max_size=60), others=st.lists(TEXTS, max_size=20), few=st.sampled_from([0, 30, 99])
)
def test_it_agrees_with_a_dictionary(texts: list[str], others: list[str], few: int) -> None:
    expected = first_places(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(string_index, "_FEW", few)
        index = StringIndex(StringArray.of(texts))
        for text in [*texts, *others, "\ud800", "\udcc3\udca9", "é"]:
            assert index.get(text) == expected.get(text)
            assert (text in index) == (text in expected)
    assert dict(index) == expected
    assert len(index) == len(expected)


@given(texts=st.lists(TEXTS, max_size=60), crowded=st.sampled_from([0, 1, 2, 32]))
def test_equal_strings_are_found(texts: list[str], crowded: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(string_index, "_CROWDED", crowded)
        found = StringIndex(StringArray.of(texts)).duplicate()
    if len(set(texts)) == len(texts):
        assert found is None
    else:
        assert found is not None
        first, second = found
        assert first < second
        assert texts[first] == texts[second]


@pytest.mark.parametrize("name", ["gpt-2", "phi-3", "qwen2"])
def test_every_token_of_a_vocabulary_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_gguf(vocabulary_file(name)) as file:
        tokens = file.metadata["tokenizer.ggml.tokens"]
    index = StringIndex(tokens)
    assert index.duplicate() is None
    monkeypatch.setattr(string_index, "_FEW", 10**9)
    texts = list(tokens)
    for id in range(0, len(texts), 13):
        assert index[texts[id]] == id
        assert texts[id] + "\0" not in index
    with pytest.raises(KeyError):
        index["no such token at all"]
