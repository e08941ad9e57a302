"""Patterns for ``re``: in ASCII text they cut as Oniguruma does, and what they cannot say is refused."""

from __future__ import annotations

import random

import pytest
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from rushlight.text import pre_patterns
from rushlight.text.ascii_patterns import ascii_pattern
from rushlight.text.pre_tokenizers import PRE_TOKENIZERS
from rushlight.text.words import WordSplitter

PATTERNS = {
    name: value for name, value in vars(pre_patterns).items() if isinstance(value, str) and name.isupper()
}
KNOWN = [name for name, pattern in PATTERNS.items() if ascii_pattern(pattern) is not None]
PIECES = ["the", "I'm", "THEY'RE", "   ", "\n\n", " \t", "don't", "x1y22", "3.14159", "1234567", "!?", "..."]
PIECES += [
    "--",
    "'s",
    "'Ve",
    "$5",
    "a_b",
    "<|im|>",
    "\r\n",
    "  \n ",
    "\x1c",
    "\x0b",
    "\x1f ",
    "f(x)[3];",
    "#if",
]
PIECES += [chr(i) for i in range(128)]


def test_the_patterns_of_most_models_are_known() -> None:
    assert {"GPT2", "LLAMA3", "QWEN2", "DEEPSEEK3", "NUMBER", "TINY_AYA"} <= set(KNOWN)
    assert {"KIMI_K2", "GPT4O", "BLOOM", "TRAILING_SPACE"}.isdisjoint(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_ascii_text_is_cut_as_the_library_cuts_it(name: str) -> None:
    choose = random.Random(name)
    splitter, library = WordSplitter([PATTERNS[name]]), Split(Regex(PATTERNS[name]), "isolated")
    for n in (1, 2, 3, 5, 10, 40, 200) * 20:
        text = choose.choice(["", " "]).join(choose.choices(PIECES, k=n))
        assert splitter(text) == [word for word, _ in library.pre_tokenize_str(text)], repr(text)


def test_a_long_run_of_spaces_takes_no_long_time() -> None:
    text = " " * 100_000 + "x"
    for cuts in {pre.cuts for pre in PRE_TOKENIZERS.values()}:
        assert "".join(WordSplitter(cuts)(text)) == text


@pytest.mark.parametrize(
    "pattern",
    [
        "a++",
        "a*+",
        "a?+",
        "a{2}+",
        "^a",
        "a$",
        r"a\z",
        "[a[bc]]",
        r"[\p{L}&&[^a]]",
        "(?i:a)",
        r"\p{Han}",
        r"\p{M}",
        r"[\x{41}-\x{5A}]",
        r"\w",
        r"\d",
        r"\b",
        r"\A",
    ],
)
def test_what_may_mean_something_else_is_refused(pattern: str) -> None:
    assert ascii_pattern(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\p{L}+|[\p{N}.]{1,3}", "abc12.45", ["abc", "12.", "45"]),
        (r"[^\s\p{L}\p{N}]+", "a!? b+=", ["!?", "+="]),
        (r"[\p{P}]+", "$-a_b^]\\", ["-", "_", "]\\"]),
        (r"[\p{S}]+", "$-a<b^`|~", ["$", "<", "^`|~"]),
        (r"[*+]\+?", "a*+b++", ["*+", "++"]),
    ],
)
def test_what_a_pattern_finds(pattern: str, text: str, found: list[str]) -> None:
    known = ascii_pattern(pattern)
    assert known is not None and known.findall(text) == found
