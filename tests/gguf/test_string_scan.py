"""The ends of strings, found many at a time, are those found by following one length after the other."""

from __future__ import annotations

import struct
from unittest.mock import patch

import numpy as np
import pytest
from helpers.gguf_bytes import string
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushlight.gguf import string_scan
from rushlight.gguf.string_scan import string_ends

# Zeros, lengths that look like text and texts that look like lengths.
TEXTS = st.one_of(
    st.binary(max_size=12),
    st.text("\0\1\2a", max_size=20).map(str.encode),
    st.sampled_from(
        [b"", b"\0", b"\0" * 9, b"a" * 255, b"b" * 256, b"c" * 700, string(b"ab") + string(b"c")]
    ),
)


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(TEXTS, max_size=80), before=st.binary(max_size=20), after=st.binary(max_size=20))
@example(texts=[b""] * 80, before=b"", after=b"")
@example(texts=[b"ab"] * 80, before=b"", after=b"\2\0\0\0\0\0\0\0ab")
def test_ends_are_those_of_one_length_after_the_other(
    texts: list[bytes], before: bytes, after: bytes
) -> None:
    data = memoryview(before + b"".join(map(string, texts)) + after)
    expected = len(before) + np.cumsum([8 + len(text) for text in texts], dtype=np.int64)
    for window in (16, 100, 1 << 17):
        with patch.object(string_scan, "_WINDOW", window):
            np.testing.assert_array_equal(string_ends(data, len(before), len(texts)), expected)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=40), data=st.data())
def test_strings_that_run_past_the_end_are_noticed(texts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(map(string, texts))
    size = data.draw(st.integers(0, len(whole) - 1))
    ends = string_ends(memoryview(whole[:size]), 0, len(texts))
    n_whole = int(np.searchsorted(np.cumsum([8 + len(text) for text in texts]), size, "right"))
    assert int((ends <= size).sum()) == n_whole < len(texts)
    assert (np.diff(ends) >= 0).all()


@pytest.mark.parametrize("length", [2**63 - 1, 2**64 - 1, 2**32])
def test_an_absurd_length_ends_the_search(length: int) -> None:
    data = memoryview(string(b"a") + struct.pack("<Q", length) + bytes(100))
    ends = string_ends(data, 0, 50)
    assert ends.tolist() == [9, len(data) + 1]
