"""Greedy merging, against a plain search for the best pair and against the `tokenizers` library."""

from __future__ import annotations

from itertools import pairwise

from helpers.vocab_files import vocabulary_file
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers
from tokenizers import Tokenizer as Library

from rushlight.gguf import open_gguf
from rushlight.text import load_tokenizer
from rushlight.text.merge import merge

PAIRS = st.lists(st.text("abc", min_size=2, max_size=5), unique=True, max_size=12)


def merged_by_search(text: str, ranks: dict[str, int]) -> list[str]:
    symbols = list(text)
    while True:
        found = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in ranks]
        if not found:
            return symbols
        _, i = min(found)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]


@given(
    text=st.text("abc", max_size=40), pairs=PAIRS, ranks=st.lists(st.integers(0, 3), min_size=12, max_size=12)
)
def test_merges_are_those_of_a_plain_search(text: str, pairs: list[str], ranks: list[int]) -> None:
    table = dict(zip(pairs, ranks, strict=False))
    assert merge(text, table, "") == merged_by_search(text, table)


def test_of_equal_ranks_the_leftmost_is_first() -> None:
    assert merge("abc", {"ab": 1, "bc": 1}, "") == ["ab", "c"]
    assert merge("abc", {"ab": 1, "bc": 0}, "") == ["a", "bc"]
    assert merge("aaa", {"aa": 0}, "") == ["aa", "a"]


def test_the_joint_tells_pairs_apart() -> None:
    assert merge("abc", {"a b": 0, "a bc": 1, "ab c": 2}, " ") == ["abc"]
    assert merge("abc", {"a b": 0, "a bc": 1}, " ") == ["ab", "c"]


def test_nothing_to_merge() -> None:
    assert merge("", {"ab": 0}, "") == []
    assert merge("a", {"ab": 0}, "") == ["a"]


def test_byte_pairs_equal_the_tokenizers_library() -> None:
    path = vocabulary_file("gpt-2")
    with open_gguf(path) as file:
        tokens = list(file.metadata["tokenizer.ggml.tokens"])
        merges = [tuple(merge.split(" ")) for merge in file.metadata["tokenizer.ggml.merges"]]
    library = Library(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(gpt2), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer = load_tokenizer(path)
    words = [tokenizer.decode([id]) for id in range(0, 50_000, 7)]
    text = "".join(words) + " ".join(word[::-1] for word in words)
    assert tokenizer.encode(text) == library.encode(text).ids
