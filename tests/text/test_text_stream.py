"""Streaming text: whole characters, stop strings."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from helpers.tiny_vocabularies import CONTROL, spm_metadata
from helpers.vocab_files import vocabulary_file
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidParameter
from rushlight.text import TextStream, Tokenizer, load_tokenizer

LETTERS = dict.fromkeys("abcd", -1.0) | {"ab": -2.0, "cd": -2.0, "bcd": -2.0}


@pytest.fixture(scope="module")
def phi3() -> Tokenizer:
    return load_tokenizer(vocabulary_file("phi-3"))


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    metadata = spm_metadata(LETTERS, {"<|end|>": CONTROL}, add_space_prefix=False)
    return load_tokenizer(SimpleNamespace(metadata=metadata))


def deltas(stream: TextStream, ids: list[int]) -> list[str]:
    return [*(stream.feed(id) for id in ids), stream.flush()]


@settings(deadline=None, max_examples=300)
@given(data=st.data(), skip_special=st.booleans(), strip_prefix=st.booleans())
def test_deltas_join_to_what_decode_gives(
    phi3: Tokenizer, data: st.DataObject, skip_special: bool, strip_prefix: bool
) -> None:
    """Any ids at all: half characters, bytes, control tokens."""
    some = st.one_of(st.integers(0, phi3.n_vocab - 1), st.integers(0, 300), st.integers(32_000, 32_015))
    ids = data.draw(st.lists(some, max_size=30))
    stream = TextStream(phi3, skip_special=skip_special, strip_prefix=strip_prefix)
    assert "".join(deltas(stream, ids)) == phi3.decode(ids, skip_special, strip_prefix)


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\u2581")))
def test_characters_are_never_split(phi3: Tokenizer, text: str) -> None:
    stream = TextStream(phi3)
    ids = phi3.encode(text, add_special=False, parse_special=False)
    assert "".join(stream.feed(id) for id in ids) == text
    assert stream.flush() == ""


def first_stop(text: str, stops: list[str]) -> tuple[str, str | None]:
    """What a stream should give, by looking at every beginning of the text."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            stop = max(complete, key=len)
            return text[: end - len(stop)], stop
    return text, None


@settings(deadline=None, max_examples=300)
@given(
    pieces=st.lists(st.sampled_from(sorted(LETTERS)), max_size=20),
    stops=st.lists(st.text("abcd", min_size=1, max_size=4), max_size=3),
)
def test_the_first_complete_stop_string_ends_the_text(
    letters: Tokenizer, pieces: list[str], stops: list[str]
) -> None:
    stream = TextStream(letters, stop=stops)
    shown = deltas(stream, [letters.vocabulary.ids[piece] for piece in pieces])
    want, stop = first_stop("".join(pieces), stops)
    assert ("".join(shown), stream.stopped) == (want, stop)


@settings(deadline=None)
@given(pieces=st.lists(st.sampled_from(sorted(LETTERS)), max_size=20), stop=st.text("abcd", min_size=1))
def test_only_a_possible_beginning_is_held_back(letters: Tokenizer, pieces: list[str], stop: str) -> None:
    stream = TextStream(letters, stop=(stop,))
    text = shown = ""
    for piece in pieces:
        text += piece
        shown += stream.feed(letters.vocabulary.ids[piece])
        if stream.stopped:
            break
        held = text[len(shown) :]
        assert stop.startswith(held)
        assert not any(stop.startswith(text[i:]) for i in range(len(shown)))


def test_nothing_comes_after_a_stop_string(letters: Tokenizer) -> None:
    stream = TextStream(letters, stop=("bc",))
    ids = [letters.vocabulary.ids[piece] for piece in ("a", "b", "cd", "a")]
    assert deltas(stream, ids) == ["a", "", "", "", ""]
    assert stream.stopped == "bc"


def test_half_a_character_at_the_end_is_shown_as_such(letters: Tokenizer) -> None:
    stream = TextStream(letters)
    assert stream.feed(letters.vocabulary.ids["<0xC3>"]) == ""
    assert stream.flush() == "\ufffd"


def test_special_tokens_are_hidden_unless_wanted(letters: Tokenizer) -> None:
    end = letters.vocabulary.ids["<|end|>"]
    assert TextStream(letters).feed(end) == ""
    assert TextStream(letters, skip_special=False).feed(end) == "<|end|>"


def test_some_special_tokens_can_be_shown(letters: Tokenizer) -> None:
    stream = TextStream(letters, shown=("<|end|>", "no token"))
    assert stream.feed(letters.vocabulary.ids["<|end|>"]) == "<|end|>"
    assert stream.feed(letters.vocabulary.ids["<s>"]) == ""


def test_one_stop_string_may_be_given_as_it_is(letters: Tokenizer) -> None:
    stream = TextStream(letters, stop="ab")
    assert stream.feed(letters.vocabulary.ids["ab"]) == ""
    assert stream.stopped == "ab"


def test_an_empty_stop_string_is_refused(letters: Tokenizer) -> None:
    with pytest.raises(InvalidParameter, match="stop string is empty"):
        TextStream(letters, stop=("a", ""))


def test_long_stop_strings_take_linear_time(letters: Tokenizer) -> None:
    stream = TextStream(letters, stop=("a" * 50_000 + "b",))
    a = letters.vocabulary.ids["a"]
    assert "".join(deltas(stream, [a] * 150_000)) == "a" * 150_000
