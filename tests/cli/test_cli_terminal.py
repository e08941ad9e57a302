"""``rushlight chat`` on a real terminal: what a person sees after typing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyte
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
HERE = Path(__file__).parent

# A model that answers each message with words of it in Markdown; "endless" is answered for ever.
FAKE = """
import sys, time, types
sys.path.insert(0, {here!r})
from fake_llm import Script
script = Script(thoughts=["Hm."])
stream = script.model().stream
class LLM(script.model()):
    def stream(self, prompt, params):
        asked = prompt[-1]["content"]
        if asked == "endless":
            script.pieces = Forever()
        else:
            script.pieces = [f"**{{asked}}** has ", f"{{len(prompt)}}\\n\\n", "- item"]
        yield from stream(self, prompt, params)
class Forever:
    def __iter__(self):
        while True:
            time.sleep(0.01)
            yield "word "
sys.modules["rushlight.llm"] = types.SimpleNamespace(LLM=LLM)
from rushlight.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Seen:
    """A terminal of 80 by 40 with a process on it."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._screen = pyte.Screen(80, 40)
        self._screen.write_process_input = self.type  # type: ignore[method-assign]  # answers to its questions
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode("utf-8", "surrogateescape"))

    def wait(self, what: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        """Read until something is to be seen."""
        os.set_blocking(self._master, False)
        end = time.monotonic() + seconds
        while not what(self.lines):
            assert time.monotonic() < end, "\n".join(self.lines)
            try:
                self._stream.feed(os.read(self._master, 65536))
            except BlockingIOError:
                time.sleep(0.01)
        return self.lines


@contextmanager
def terminal(home: Path, *flags: str) -> Iterator[tuple[Seen, int]]:
    import pty

    child, master = pty.fork()
    if child == 0:
        os.environ.update(RUSHLIGHT_HOME=str(home), TERM="xterm-256color", COLUMNS="80", LINES="40")
        os.environ.pop("NO_COLOR", None)
        os.chdir(home)
        code = FAKE.format(here=str(HERE))
        os.execv(sys.executable, [sys.executable, "-c", code, "chat", "-m", "fake", *flags])
    try:
        yield Seen(master), child
    finally:
        os.close(master)
        with suppress(ChildProcessError):  # waited for already
            os.waitpid(child, 0)


def prompts(n: int) -> Callable[[list[str]], bool]:
    """Whether the n-th prompt has come, and nothing is behind it."""
    return lambda lines: sum(line.startswith(">") for line in lines) == n and ">" in lines


def test_a_session(tmp_path: Path) -> None:
    with terminal(tmp_path) as (seen, child):
        seen.wait(prompts(1))
        seen.type("Hello\r")
        lines = seen.wait(prompts(2))
        begin = lines.index("> Hello")
        assert lines[begin : begin + 7] == ["> Hello", "Hm.", "", "Hello has 1", "", " \u2022 item", ">"]
        seen.type("endless\r")
        seen.wait(lambda lines: any("word word" in line for line in lines))
        seen.type("\x03")
        lines = seen.wait(prompts(3))
        assert "(stopped)" in lines
        seen.type("/undo\r")
        seen.wait(prompts(4))
        seen.type("/sa")
        seen.wait(lambda lines: any("write the conversation" in line for line in lines))
        seen.type("\t")
        seen.wait(lambda lines: "> /save" in lines)
        seen.type(" x.json\r")
        seen.wait(prompts(5))
        seen.type("\x1b[A\r")
        lines = seen.wait(lambda lines: any("[y/N]" in line for line in lines))
        seen.type("n\r")
        assert any("was left as it is" in line for line in seen.wait(prompts(6)))
        seen.type('"""One\r/two"""\r')
        lines = seen.wait(prompts(7))
        assert any("has 3" in line for line in lines)
        seen.type("\x04")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "x.json").exists()


def test_bytes_that_are_no_text_end_nothing(tmp_path: Path) -> None:
    with terminal(tmp_path, "--plain") as (seen, _):
        seen.wait(prompts(1))
        seen.type("a\udcff\udcc3b\r")
        lines = seen.wait(prompts(2))
        assert any("**a??b** has 1" in line or "**a?b** has 1" in line for line in lines), lines
        seen.type("\x04")


def test_history_comes_back_in_the_next_session(tmp_path: Path) -> None:
    for keys in ("First\r", "\x1b[A\r"):
        with terminal(tmp_path, "--plain") as (seen, _):
            seen.wait(prompts(1))
            seen.type(keys)
            lines = seen.wait(prompts(2))
            assert "> First" in lines and "**First** has 1" in lines and "- item" in lines
            seen.type("\x04")
