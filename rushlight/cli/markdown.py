"""Markdown on a terminal while it is being written: what is finished is printed once, the rest redrawn."""

from __future__ import annotations

import re
import time
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme

from rushlight.cli.output import printable

_DRAW_SECONDS = 0.08  # least time between two drawings of the same block
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_THEME = Theme({"markdown.code": "bold cyan"})  # without a background, which suits few terminals


class MarkdownDisplay:
    """Shows one answer as rendered Markdown, after the model's thoughts in dim letters.

    Args:
        console: of rich; by default standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, theme=_THEME)
        self._live: Live | None = None
        self._thinks = False
        self._printed = False
        self._tail = ""
        self._drawn = 0.0

    def thought(self, text: str) -> None:
        """Add to the thoughts."""
        self._thinks = True
        self._console.print(Text(printable(text), style="dim"), end="", soft_wrap=True)

    def text(self, text: str) -> None:
        """Print the blocks that this finishes, and draw the rest anew."""
        if self._live is None:
            self._live = self._start()
        self._tail += printable(text)
        finished = "".join(finished_blocks(self._tail)) if "\n" in text else ""
        if finished:
            self._live.update("", refresh=True)
            self._print(finished)
            self._tail = self._tail[len(finished) :]
        self._draw(self._live, at_once=bool(finished))

    def end(self) -> None:
        """Print what is left."""
        if self._live is not None:
            live, self._live = self._live, None
            live.update("", refresh=True)
            live.stop()
            self._print(self._tail)
        elif self._thinks:
            self._console.print()

    def _start(self) -> Live:
        if self._thinks:
            self._console.print("\n")
        live = Live(
            console=self._console,
            auto_refresh=False,  # a thread that draws while a block is printed would leave traces
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def _draw(self, live: Live, *, at_once: bool) -> None:
        """Draw the tail, if the last drawing is not of this moment."""
        now = time.monotonic()
        if at_once or now - self._drawn > _DRAW_SECONDS:
            live.update(_LastLines(self._blocks(self._tail)), refresh=True)
            self._drawn = now

    def _print(self, text: str) -> None:
        if text.strip():
            self._console.print(self._blocks(text))
            self._printed = True

    def _blocks(self, text: str) -> RenderableType:
        return _Blocks(text, below=self._printed)


class _Blocks:
    """Blocks of Markdown with an empty line between them, and above them if they stand below others."""

    def __init__(self, text: str, *, below: bool) -> None:
        self._text, self._below = text, below

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        below = self._below
        for block in split_blocks(self._text):
            lines = console.render_lines(rendered(block), options, pad=False)
            shown = [i for i, line in enumerate(lines) if any(part.text.strip() for part in line)]
            if below and shown:
                yield Segment.line()
            for line in lines[shown[0] : shown[-1] + 1] if shown else ():
                yield from line
                yield Segment.line()
            below = below or bool(shown)


class _LastLines:
    """As many of the last lines of something as the terminal has room for."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._renderable, options, pad=False)
        for i, line in enumerate(lines[-max(1, console.height - 2) :]):
            if i:
                yield Segment.line()
            yield from line


def split_blocks(text: str) -> list[str]:
    """Cut Markdown into its outermost blocks; together they are the text."""
    starts = [token.map[0] for token in _parser().parse(text) if token.map and not token.level]
    lines = _LINE.findall(text)
    bounds = [0, *starts[1:], len(lines)]
    return ["".join(lines[begin:end]) for begin, end in pairwise(bounds)]


def finished_blocks(text: str) -> list[str]:
    """The blocks at the beginning of Markdown that nothing after them can change.

    A block is settled by whole lines, and only the last one is still open; what a line begins is not known
    before its end (``***`` may become a rule or bold words).
    """
    return split_blocks(text[: text.rfind("\n") + 1])[:-1]


def rendered(text: str) -> Markdown:
    """Markdown for rich, with HTML as the text it is and with line ends where the text has them."""
    markdown = Markdown("", code_theme="ansi_dark", hyperlinks=False)
    markdown.parsed = _parser().parse(text)
    for token in markdown.parsed:
        _keep_line_ends(token)
    return markdown


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


def _keep_line_ends(token: Token) -> None:
    for child in token.children or ():
        if child.type == "softbreak":
            child.type = "hardbreak"
        _keep_line_ends(child)
