"""Each example, run as its reader runs it, against a server with a real model."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import RunningServer

EXAMPLES = Path(__file__).parents[2] / "examples"
HELLO = [{"role": "user", "content": "Say hello"}]


def run_example(name: str, server: RunningServer | None, **environment: str) -> str:
    """What an example writes to standard output."""
    path = EXAMPLES / name
    scripts = os.path.dirname(sys.executable)
    env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", **environment}
    env.pop("RUSHLIGHT_API_KEY", None)
    if server is not None:
        env["RUSHLIGHT_URL"] = server.url
    command = [sys.executable, str(path)] if path.suffix == ".py" else ["sh", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" or name == "lm_eval.sh"  # which tells there how far it is
    return done.stdout


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


def needs_program(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")


def answer_of(server: RunningServer, **body: object) -> str:
    answer = server.post("/v1/chat/completions", body).json()
    return str(answer["choices"][0]["message"]["content"])


def test_every_example_is_on_its_page_and_tested() -> None:
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text("utf-8")
    tests = Path(__file__).read_text("utf-8")
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"}]
    assert len(names) >= 7
    for name in names:
        assert f"examples/{name})" in page and f'"{name}"' in tests


def test_openai_client(smollm2: RunningServer) -> None:
    out = run_example("openai_client.py", smollm2)
    messages = [{"role": "user", "content": "Write a haiku about ice hockey"}]
    answer = answer_of(smollm2, messages=messages, max_tokens=60, temperature=0.7, seed=1)
    assert out.startswith(f"{answer}\n(") and out.endswith(" tokens)\n")


@needs_program("curl")
@needs_program("sh")
def test_curl(smollm2: RunningServer) -> None:
    health, models, whole, *events = run_example("curl.sh", smollm2).split("\n", 3)
    assert "status" in json.loads(health) and json.loads(models)["data"][0]["id"] == "smollm2"
    answer = json.loads(whole)["choices"][0]["message"]["content"]
    lines = [line.removeprefix("data: ") for line in events[0].splitlines() if line.startswith("data: {")]
    deltas = [json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines]
    assert answer and "".join(deltas) == answer
    assert answer == answer_of(smollm2, messages=HELLO, max_tokens=20, temperature=0)


def test_anthropic_client(smollm2: RunningServer) -> None:
    out = run_example("anthropic_client.py", smollm2)
    messages = [{"role": "user", "content": "Write a haiku about ice hockey"}]
    count = smollm2.post("/tokenize", {"messages": messages}).json()["count"]
    answer = answer_of(smollm2, messages=messages, max_tokens=60, temperature=0)
    assert out == f"({count} tokens)\n{answer}\n"


def test_structured_output(smollm2: RunningServer) -> None:
    out = run_example("structured_output.py", smollm2)
    assert re.fullmatch(r"home='.*' away='.*' winner='(home|away|draw)'\n", out), out


@needs("langchain_openai")
def test_langchain(smollm2: RunningServer) -> None:
    out = run_example("langchain_chat.py", smollm2, LANGSMITH_TRACING="false")
    messages = [
        {"role": "system", "content": "You write haikus."},
        {"role": "user", "content": "One about ice hockey, please."},
    ]
    assert out == answer_of(smollm2, messages=messages, max_tokens=60, temperature=0) + "\n"


@needs("llm")
@needs_program("sh")
def test_llm_tool(smollm2: RunningServer, tmp_path: Path) -> None:
    model = f"{smollm2.llm.path}"
    out = run_example("llm_tool.sh", None, RUSHLIGHT_MODEL="smollm2", LLM_USER_PATH=str(tmp_path))
    assert "rushlight/smollm2" in out and model.endswith(".gguf")
    messages = [{"role": "user", "content": "Write a haiku about ice hockey"}]
    assert answer_of(smollm2, messages=messages, max_tokens=40, temperature=0) in out


@needs_program("lm_eval")
@needs_program("sh")
def test_lm_eval(smollm2: RunningServer, tmp_path: Path) -> None:
    out = run_example("lm_eval.sh", smollm2, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert re.search(r"\|capitals\|.*\|acc *\|.*\| *1\|", out), out
