"""The command as a process: speed of its help, encodings, closed pipes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rushlight

RUSHLIGHT = [sys.executable, "-m", "rushlight"]

# A model that writes a word every tenth of a second, for ever.
ENDLESS = """
import sys, time, types
class LLM:
    backend, n_ctx = "cpu", 64
    config = types.SimpleNamespace(n_ctx_train=64)
    chat_template = types.SimpleNamespace(is_fallback=False)
    def __init__(self, *arguments, **options): pass
    def __enter__(self): return self
    def __exit__(self, *exception): pass
    def stream(self, prompt, params):
        while True:
            yield types.SimpleNamespace(reasoning="", text="w\\u00f6rd ", token_ids=(1,), finish_reason=None)
            time.sleep(0.05)
sys.modules["rushlight.llm"] = types.SimpleNamespace(LLM=LLM)
from rushlight.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_help_names_every_command() -> None:
    run = subprocess.run([*RUSHLIGHT, "--help"], capture_output=True, text=True, check=True)
    for command in ("run", "chat", "pull", "list", "rm", "inspect", "tokenize", "bench", "doctor"):
        assert f"rushlight {command} " in run.stdout
    version = subprocess.run([*RUSHLIGHT, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.split()[1] == rushlight.__version__


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from rushlight.cli import main; main(['run', '--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"numpy", "numba", "llvmlite", "tokenizers", "jinja2", "huggingface_hub"}
    heavy |= {"prompt_toolkit", "rich"}
    assert heavy.isdisjoint(loaded.split())


def test_help_comes_at_once() -> None:
    def seconds() -> float:
        """Of processor time, which does not depend on what else the machine does."""
        before = os.times()
        subprocess.run([*RUSHLIGHT, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    assert min(seconds() for _ in range(5)) < 0.2


def test_without_arguments_the_help_comes_as_wrong_usage() -> None:
    run = subprocess.run(RUSHLIGHT, capture_output=True, text=True, check=False)
    assert run.returncode == 2 and "rushlight run" in run.stdout


def test_output_is_utf8_whatever_the_locale() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C", "PYTHONUTF8": "0"}
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "run", "Hi"], stdout=subprocess.PIPE, env=env
    ) as run:
        assert run.stdout is not None
        first = run.stdout.read(6)
        run.kill()
    assert first == "wörd ".encode()


def test_a_reader_that_leaves_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "run", "Hi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.read(12)
        run.stdout.close()
        assert run.wait(timeout=20) == 0
        assert run.stderr.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_control_c_stops_at_once_and_keeps_the_words() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "run", "Hi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None and run.stderr is not None
        first = run.stdout.read(12)
        start = time.monotonic()
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert run.wait(timeout=20) == 130
        assert time.monotonic() - start < 2
        assert (first + rest).decode().startswith("wörd wörd ") and rest.endswith(b"\n")
        assert run.stderr.read() == b""


def test_a_missing_file_from_outside(tmp_path: Path) -> None:
    command = [*RUSHLIGHT, "inspect", str(tmp_path / "none.gguf")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: There is no file") and run.stderr.count("\n") == 1
