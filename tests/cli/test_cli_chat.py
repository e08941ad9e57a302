"""``rushlight chat``: a conversation through a pipe, and through a terminal."""

from __future__ import annotations

import io
import sys

import pytest
from fake_llm import Script

from rushlight.cli import main
from rushlight.cli.line_input import Terminal
from rushlight.errors import ContextOverflow

Captured = pytest.CaptureFixture[str]


def chat(monkeypatch: pytest.MonkeyPatch, lines: str, *flags: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return main(["chat", *flags])


def test_the_conversation_is_kept(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    script.pieces = ["Hello", "!"]
    assert chat(monkeypatch, "Hi\n\nAgain\n", "--system", "Be brief") == 0
    assert [messages for messages, _ in script.asked] == [
        [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}],
        [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Again"},
        ],
    ]
    assert capsys.readouterr() == ("Hello!\nHello!\n", "")
    assert script.asked[0][1].max_tokens is None


def test_thoughts_are_kept_apart_in_the_conversation(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script.pieces, script.thoughts = ["Hello"], ["Hm."]
    assert chat(monkeypatch, "Hi\nAgain\n") == 0
    assert script.asked[1][0][1] == {"role": "assistant", "content": "Hello", "reasoning": "Hm."}
    assert capsys.readouterr() == ("Hello\nHello\n", "Hm.\n\nHm.\n\n")


def test_commands(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    lines = "Hi\n/reset\nOne\n/system Be kind\nTwo\n/system\nThree\n/help\n/nonsense\n/exit\nNever\n"
    assert chat(monkeypatch, lines) == 0
    asked = [[(m["role"], m["content"]) for m in messages] for messages, _ in script.asked]
    assert asked == [
        [("user", "Hi")],
        [("user", "One")],
        [("system", "Be kind"), ("user", "Two")],
        [("user", "Three")],
    ]
    err = capsys.readouterr().err
    assert "/reset" in err and "no command /nonsense" in err


def test_an_interrupt_stops_the_answer_and_keeps_the_session(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script.pieces = ["Half", KeyboardInterrupt()]
    assert chat(monkeypatch, "Hi\nGo on\n") == 0
    assert script.asked[1][0][1] == {"role": "assistant", "content": "Half"}
    out, err = capsys.readouterr()
    assert out == "HalfHalf"
    assert err.count("(stopped)") == 2


def test_an_error_keeps_the_session(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script.pieces = [ContextOverflow("The prompt has 9 tokens, the context 8.")]
    assert chat(monkeypatch, "Hi\nAgain\n") == 0
    assert script.asked[1][0] == [{"role": "user", "content": "Again"}]
    assert capsys.readouterr().err.count("/reset starts over") == 2


def test_a_terminal_edits_lines_and_ends_with_control_d(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path))
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        terminal = Terminal()
        keys.send_text("Helo\x1b[Dl\r")  # a missing letter, put in one to the left
        assert terminal.read() == "Hello"
        keys.send_text("one\x1b\rtwo\r")
        assert terminal.read() == "one\ntwo"
        keys.send_text("dropped\x03kept\r")
        assert terminal.read() == "kept"
        keys.send_text("\x1b[A" * 4 + "\r")  # four lines up in the history, which has three entries
        assert terminal.read() == "Hello"
        keys.send_text("\x04")
        assert terminal.read() is None
