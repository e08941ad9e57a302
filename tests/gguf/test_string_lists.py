"""All strings of an array at once are the strings one by one."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from rushlight.gguf import StringArray


@given(strings=st.lists(st.binary(max_size=6), max_size=12))
@example(strings=[])
@example(strings=[b"", b""])
@example(strings=[b"\xff", b"a\xffb"])
@example(strings=[b"\xc3", b"\xa9"])
def test_a_list_has_the_strings_one_by_one(strings: list[bytes]) -> None:
    encoded = b"".join(struct.pack("<Q", len(string)) + string for string in strings)
    ends = np.cumsum([8 + len(string) for string in strings], dtype=np.int64)
    want = [string.decode("utf-8", "surrogateescape") for string in strings]
    assert StringArray(encoded, ends).tolist() == want
