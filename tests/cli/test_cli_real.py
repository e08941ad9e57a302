"""The command line with a real model: what a newcomer sees."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rushlight import LLM, SamplingParams

RUSHLIGHT = [sys.executable, "-m", "rushlight"]
PROMPT = "Write a haiku about ice hockey"


def rushlight(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUSHLIGHT, *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_greedy_answer_is_that_of_the_library(smollm2_path: Path) -> None:
    flags = ("-m", str(smollm2_path), "--temperature", "0", "-n", "24")
    run = rushlight("run", *flags, PROMPT)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    params = SamplingParams(temperature=0, max_tokens=24, repeat_penalty=1.2, repeat_last_n=64)
    with LLM(smollm2_path) as llm:
        expected = llm.chat([{"role": "user", "content": PROMPT}], params)
        plain = llm.generate("Once upon a time", params)
    assert run.stdout == expected.text + "\n"
    raw = rushlight("run", *flags, "--raw", "--json", "-", stdin="Once upon a time\n")
    answer = json.loads(raw.stdout)
    assert (answer["text"], answer["token_ids"]) == (plain.text, plain.token_ids)
    assert answer["usage"]["completion_tokens"] == plain.usage.completion_tokens


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere llvmlite loads the kernels")
def test_a_first_word_brings_in_only_what_it_needs(smollm2_path: Path) -> None:
    arguments = ["run", "-m", str(smollm2_path), "--raw", "--temperature", "0", "-n", "1", "Once"]
    code = f"import sys; from rushlight.cli import main; main({arguments!r}); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = {"numba", "llvmlite", "tokenizers", "jinja2", "huggingface_hub", "llguidance"}
    packages |= {"starlette", "prompt_toolkit", "rich"}
    own = {"rushlight.hub.store", "rushlight.quants.k_quants"}
    assert (packages | own).isdisjoint(run.stdout.split())


def test_the_seed_that_verbose_tells_gives_the_answer_again(smollm2_path: Path) -> None:
    first = rushlight("run", "-m", str(smollm2_path), "-v", "-n", "12", PROMPT)
    told = dict(line.split(None, 1) for line in first.stderr.splitlines())
    again = rushlight("run", "-m", str(smollm2_path), "--seed", told["seed"], "-n", "12", PROMPT)
    assert again.stdout == first.stdout
    assert "tok/s" in told["answer"] and float(told["load"].split()[0]) > 0


def test_a_conversation_through_a_pipe(smollm2_path: Path) -> None:
    lines = "My name is Otto.\n/reset\nSay hello.\n"
    run = rushlight("chat", "-m", str(smollm2_path), "--temperature", "0", "-n", "8", stdin=lines)
    assert run.returncode == 0, run.stderr
    alone = rushlight("run", "-m", str(smollm2_path), "--temperature", "0", "-n", "8", "Say hello.")
    assert run.stdout.endswith(alone.stdout)
    assert len(run.stdout) > len(alone.stdout)


def test_errors_that_only_a_loaded_model_finds(smollm2_path: Path) -> None:
    run = rushlight("run", "-m", str(smollm2_path), "--ctx", "16", "--raw", "word " * 40)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: The prompt has ") and run.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_control_c_stops_a_real_answer(smollm2_path: Path) -> None:
    command = [*RUSHLIGHT, "run", "-m", str(smollm2_path), "--raw", "-n", "4000", "Once upon a time"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        first = run.stdout.read(8)
        start = time.monotonic()
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert run.wait(timeout=30) == 130
        assert time.monotonic() - start < 5
        assert (first + rest).endswith(b"\n")
        assert run.stderr.read() == b""
