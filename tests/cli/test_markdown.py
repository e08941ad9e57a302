"""Markdown that is rendered while it comes: every way to cut it shows what the whole shows."""

from __future__ import annotations

import io
import random

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from rushlight.cli.markdown import MarkdownDisplay, finished_blocks, split_blocks

DOCUMENT = """# Title

Some *text* with `code`, <b>html</b> and
a second line of [a link](http://x.example/y).
Setext
------
- one
- two

  loose
***
1. a
2. b

| a | b |
|---|---|
| 1 | 2 |
```python
def f(x):

    return x
```
    indented

> quote
lazy

***bold*** end
"""
LINES = ["text", "  text", "- item", "  - inner", "1. one", "", "```", "~~~", "    code", "> quote", "# head",
         "---", "===", "***", "***b***", "| a | b |", "|---|---|", "<div>", "[x]: y", "\u2028", "\\",
         "`a`", "```a`b"]  # fmt: skip


def shown(pieces: list[str], thoughts: list[str] | None = None, height: int = 60) -> list[str]:
    """What stands on a terminal, scrolled lines included, after a display got these pieces."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, width=60, height=height, highlight=False, legacy_windows=False
    )
    display = MarkdownDisplay(console)
    for thought in thoughts or ():
        display.thought(thought)
    for piece in pieces:
        display.text(piece)
    display.end()
    screen = pyte.HistoryScreen(60, height, history=10_000, ratio=0.5)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(file.getvalue())
    assert screen.cursor.x == 0
    above = ["".join(line[x].data for x in range(60)) for line in screen.history.top]
    return [line.rstrip() for line in [*above, *screen.display[: screen.cursor.y]]]


@given(st.lists(st.sampled_from(LINES), max_size=9).map("\n".join))
@settings(max_examples=150, deadline=None)
def test_a_block_that_is_printed_never_changes(text: str) -> None:
    whole = split_blocks(text)
    assert "".join(whole) == text
    for end in range(len(text) + 1):
        finished = finished_blocks(text[:end])
        assert finished == whole[: len(finished)]


def test_blocks_are_those_of_the_parser() -> None:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    assert len(split_blocks(DOCUMENT)) == len(parser.parse(DOCUMENT)) - sum(
        token.nesting == -1 or token.level > 0 for token in parser.parse(DOCUMENT)
    )
    rendered = [parser.render(block) for block in split_blocks(DOCUMENT)]
    assert "".join(rendered) == parser.render(DOCUMENT)


@pytest.mark.parametrize("seconds", [0.0, 0.08])
@pytest.mark.parametrize("height", [60, 8])
def test_every_cut_shows_what_the_whole_shows(
    height: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushlight.cli.markdown._DRAW_SECONDS", seconds)
    whole = shown([DOCUMENT])
    words = "\n".join(whole)
    for part in ("<b>html</b> and\na second line", "link (http://x.example/y)", "    return x", "bold end"):
        assert part in words
    assert "\n\n\n" not in words and "***" not in words
    for seed in range(4):
        draw = random.Random(seed)
        cuts = sorted(draw.sample(range(len(DOCUMENT)), 60))
        pieces = [DOCUMENT[a:b] for a, b in zip([0, *cuts], [*cuts, len(DOCUMENT)], strict=True)]
        assert shown(pieces, height=height) == whole


def test_an_answer_without_a_line_end_is_shown_whole() -> None:
    assert shown(["Hel", "lo"]) == ["Hello"]
    assert shown([]) == []
    assert shown(["\n\n"]) == []
    long = [f"line {i}" for i in range(100)]
    assert shown(["```\n", *(f"{line}\n" for line in long)], height=10) == [f" {line}" for line in long]


def test_thoughts_come_first_and_are_dim() -> None:
    assert shown(["Answer"], ["Let me ", "think."]) == ["Let me think.", "", "Answer"]
    assert shown([], ["Let me"]) == ["Let me"]
    file = io.StringIO()
    MarkdownDisplay(Console(file=file, force_terminal=True, color_system="standard")).thought("Hm")
    assert file.getvalue() == "\x1b[2mHm\x1b[0m"


def test_nothing_in_an_answer_commands_the_terminal() -> None:
    lines = shown(["a\x1b[31mb\x1b]0;title\x07c\x9b2Jd\r\n", "e"], ["\x1b[2Jf"])
    assert lines == ["\ufffd[2Jf", "", "a\ufffd[31mb\ufffd]0;title\ufffdc\ufffd2Jd", "e"]
