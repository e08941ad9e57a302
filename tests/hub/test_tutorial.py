"""The tutorial's own job, whole: the default model from the Hub answers in the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from fake_hub import FakeHub
from helpers.as_phi3 import write_as_phi3

from rushlight import LLM, SamplingParams

PROMPT = "Write a haiku about ice hockey"
TUTORIAL = {"temperature": 1.0, "repeat_penalty": 1.2, "repeat_last_n": 64, "max_tokens": 100}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rushlight", "run", *arguments, PROMPT]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_haiku_from_the_hub(hub: FakeHub, smollm2_path: Path, tmp_path: Path) -> None:
    """A real model in the phi3 architecture, under the default model's name on the Hub."""
    path = tmp_path / "phi3.gguf"
    write_as_phi3(smollm2_path, path)
    hub.repo("microsoft/Phi-3-mini-4k-instruct-gguf", {"Phi-3-mini-4k-instruct-q4.gguf": path.read_bytes()})
    first = run("--verbose")
    assert first.returncode == 0, first.stderr
    seed = int(re.search(r"^seed +(\d+)$", first.stderr, re.MULTILINE)[1])  # type: ignore[index]
    with LLM(path) as llm:
        expected = llm.chat([{"role": "user", "content": PROMPT}], SamplingParams(seed=seed, **TUTORIAL))
    assert first.stdout.strip() == expected.text.strip()
    hub.requests.clear()
    again = run("--json", "--seed", str(seed))
    answer = json.loads(again.stdout)
    assert (answer["text"], answer["token_ids"]) == (expected.text, expected.token_ids)
    assert hub.requests == []  # the file was in the cache
