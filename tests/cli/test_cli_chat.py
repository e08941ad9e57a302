"""``rushlight chat``: a conversation through a pipe, and through a terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_llm import Script

from rushlight.cli import main
from rushlight.cli.chat.line_input import Terminal
from rushlight.cli.chat.settings import SETTINGS
from rushlight.cli.chat.slash_commands import SLASH_COMMANDS
from rushlight.errors import ContextOverflow

Captured = pytest.CaptureFixture[str]


def chat(monkeypatch: pytest.MonkeyPatch, lines: str | bytes, *flags: str) -> int:
    content = lines if isinstance(lines, bytes) else lines.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "ascii"))
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
    assert out == "Half\nHalf\n"
    assert err.count("(stopped)") == 2


def test_an_error_keeps_the_session(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script.pieces = [ContextOverflow("The prompt has 9 tokens, the context 8.")]
    assert chat(monkeypatch, "Hi\nAgain\n") == 0
    assert script.asked[1][0] == [{"role": "user", "content": "Again"}]
    assert capsys.readouterr().err.count("/reset starts over") == 2


def test_an_answer_stopped_before_its_first_word_leaves_nothing(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    script.pieces = [KeyboardInterrupt()]
    assert chat(monkeypatch, "Hi\nAgain\n") == 0
    assert script.asked[1][0] == [{"role": "user", "content": "Again"}]
    assert "was not taken" in capsys.readouterr().err


def test_retry_and_undo(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    lines = "/retry\n/undo\nOne\nTwo\n/retry\n/undo\nThree\n/undo\n/undo\n/undo\nFour\n"
    assert chat(monkeypatch, lines) == 0
    asked = [[m["content"] for m in messages] for messages, _ in script.asked]
    answer = "Ice and sticks"
    assert asked == [["One"], *[["One", answer, "Two"]] * 2, ["One", answer, "Three"], ["Four"]]
    err = capsys.readouterr().err
    assert err.count("no message to answer again") == 1 and err.count("no message to take back") == 2
    assert err.count("will be the same") == 0
    assert chat(monkeypatch, "One\n/retry\n", "--seed", "3") == 0
    assert "will be the same" in capsys.readouterr().err


def test_a_retry_that_fails_keeps_the_answer_before(
    script: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = iter([["Fine"], [ContextOverflow("No room.")], [KeyboardInterrupt()], ["End"]])
    stream = script.model().stream

    def changing(self: object, prompt: Any, params: Any) -> Any:
        script.pieces = next(failing)
        return stream(self, prompt, params)

    monkeypatch.setattr(sys.modules["rushlight.llm"].LLM, "stream", changing)
    assert chat(monkeypatch, "One\n/retry\n/retry\nTwo\n") == 0
    assert [m["content"] for m in script.asked[-1][0]] == ["One", "Fine", "Two"]


def test_settings(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    good = {
        "max_tokens": ("7", 7), "temperature": ("0.5", 0.5), "top_k": ("5", 5), "top_p": (".9", 0.9),
        "min_p": ("0.1", 0.1), "repeat_penalty": ("1", 1.0), "repeat_last_n": ("-1", -1),
        "presence_penalty": ("1.5", 1.5), "frequency_penalty": ("-1", -1.0), "seed": ("9", 9),
        "stop": ('"a\\n"', ("a\n",)),
    }  # fmt: skip
    assert set(good) == set(SETTINGS)
    lines = "".join(f"/set {name} {text}\n" for name, (text, _) in good.items())
    wrong = '/set top_p 2\n/set top_k x\n/set seed -1\n/set nonsense 1\n/set other\n/set stop "a\n'
    assert chat(monkeypatch, f"{lines}{wrong}Hi\n/set seed none\n/set stop b c\n/set temperature\nHi\n") == 0
    first, second = (params for _, params in script.asked)
    assert {name: getattr(first, name) for name in good} == {name: value for name, (_, value) in good.items()}
    assert (second.seed, second.stop) == (None, ("b c",))
    err = capsys.readouterr().err
    assert err.count("error: ") == 6
    assert "top_p is 2; it must be from 0.0 to 1.0" in err and "top_k is 'x'; it must be an integer." in err
    assert err.endswith("temperature  0.5\n")
    chat(monkeypatch, "/set\n")
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == list(SETTINGS)


def test_save_and_load(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    file = tmp_path / "a talk.json"
    script.thoughts = ["Hm."]
    assert chat(monkeypatch, f"Hi \u2603\n/save {file}\n", "--system", "Be brief") == 0
    saved = json.loads(file.read_text("utf-8"))
    said = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi \u2603"},
        {"role": "assistant", "content": "Ice and sticks", "reasoning": "Hm."},
    ]
    assert saved["messages"] == said and [each.name for each in tmp_path.iterdir()] == [file.name]
    assert chat(monkeypatch, f"Other\n/load {file}\nMore\n/reset\nAnew\n/save {file}\n") == 0
    assert script.asked[-2][0] == [*said, {"role": "user", "content": "More"}]
    assert script.asked[-1][0] == [said[0], {"role": "user", "content": "Anew"}]
    assert "was left as it is" in capsys.readouterr().err
    assert json.loads(file.read_text("utf-8")) == saved
    chat(monkeypatch, f"/save\n/load\n/save {tmp_path}\n/save {tmp_path}/none/x\n/load {tmp_path}/none\n")
    assert capsys.readouterr().err.count("error: ") == 5


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}",
        b'{"messages": {}}', b'{"messages": [1]}', b"[" * 10**5,

        b'{"messages": [{"role": "user"}]}', b'{"messages": [{"role": "tool", "content": "x"}]}',
        b'{"messages": [{"role": "user", "content": ["x"]}]}', b'{"messages": [{"content": "x"}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b'{"messages": [{"role": ["user"]}]}',
        b'{"messages": [{"role": "user", "content": ""}, {"role": "system", "content": "late"}]}',
        b'{"messages": [{"role": "assistant", "content": "x", "reasoning": null}]}',
    ],
)  # fmt: skip
def test_a_malformed_file_leaves_the_conversation(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    assert chat(monkeypatch, f"Hi\n/load {file}\nAgain\n") == 0
    assert [m["content"] for m in script.asked[1][0]] == ["Hi", "Ice and sticks", "Again"]
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1


def test_a_loaded_question_without_answer_is_answered_by_retry(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"messages": [{"role": "user", "content": "Well?", "name": "me"}]}')
    assert chat(monkeypatch, f"/load {file}\n/retry\n") == 0
    assert script.asked[0][0] == [{"role": "user", "content": "Well?"}]
    assert "/retry answers it" in capsys.readouterr().err


def test_stats(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert chat(monkeypatch, "/stats\nOne\nTwo\n/stats\n") == 0
    told = capsys.readouterr().err.splitlines()[4:]
    assert told == [
        "answers   2",
        "context   10 tokens of 8192",
        "prompts   14 tokens in 1.00 s, 14.0 tok/s, 0 more were in the cache",
        "words     4 tokens in 0.50 s, 8.0 tok/s",
    ]


def test_messages_of_several_lines_and_with_slashes(
    script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    lines = '"""one\ntwo\n\nthree"""\n"""\n/help\n"""\n /usr\n""""""\n"""x"""\n"""never\nended'
    assert chat(monkeypatch, lines) == 0
    asked = [messages[-1]["content"] for messages, _ in script.asked]
    assert asked == ["one\ntwo\n\nthree", "/help", "/usr", "x", "never\nended"]
    assert capsys.readouterr().err == ""


def test_input_is_utf8_or_refused(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert chat(monkeypatch, "Gr\u00fc\u00dfe\nund\n") == 0
    assert script.asked[0][0][0]["content"] == "Gr\u00fc\u00dfe"
    assert chat(monkeypatch, b"Gr\xfc\n") == 1
    assert "Standard input is not UTF-8 (byte 2)" in capsys.readouterr().err


def test_the_page_names_every_command() -> None:
    page = (Path(__file__).parents[2] / "docs" / "chat.md").read_text("utf-8")
    for command in SLASH_COMMANDS.values():
        assert f"| `{command.usage}` |" in page
    for name in SETTINGS:
        assert f"`{name}`" in page


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("/re", {"/retry", "/reset"}),
        ("/set top", {"top_k", "top_p"}),
        ("/load a/b", {"c.json"}),
        ("Hello /re", set()),
        ("/help ", set()),
    ],
)
def test_completion(typed: str, expected: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from rushlight.cli.chat.completer import SlashCompleter

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bc.json").touch()
    monkeypatch.chdir(tmp_path)
    found = {each.text for each in SlashCompleter().get_completions(Document(typed), CompleteEvent())}
    assert found == expected


def test_a_terminal_edits_lines_and_ends_with_control_d(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
        keys.send_text('"""one\rtwo"""\r')
        assert terminal.read() == "one\ntwo"
        keys.send_text("\x1b[200~/one\r\ntwo\x1b[201~\r")  # pasted
        assert terminal.read() == "/one\ntwo"
        keys.send_text("\x1b[A" * 8 + "\r")  # lines up in the history, one of two lines
        assert terminal.read() == "Hello"
        keys.send_text("y\r")
        assert terminal.confirm("Well?")
        keys.send_text("\r")
        assert not terminal.confirm("Well?")
        keys.send_text("\x04")
        assert terminal.read() is None
    kept = tmp_path / "chat_history"
    assert "+Hello\n" in kept.read_text("utf-8")
    if os.name == "posix":
        assert kept.stat().st_mode & 0o077 == 0


def test_a_history_that_cannot_be_kept_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from prompt_toolkit.history import InMemoryHistory

    from rushlight.cli.chat.history import open_history

    (tmp_path / "file").touch()
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path / "file" / "below"))
    assert isinstance(open_history(), InMemoryHistory)
