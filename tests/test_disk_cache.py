"""The prefix cache on disk under a real model: other processes, and processes that die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.batches import TINY

from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.engine.disk.entry import SEAL_BYTES

FILE = TINY / "qwen3-half.gguf"
N_CTX = 128
PROMPTS = [[i, *range(1, 100)] for i in range(6)]
PARAMS = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True)

ASK = f"""
import json, sys
from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.engine.disk import cache, entry
{{before}}
params = SamplingParams(temperature=0, max_tokens=6, ignore_eos=True)
options = EngineOptions(cache_dir=sys.argv[1], cache_bytes=int(sys.argv[2]))
with LLM({str(FILE)!r}, n_threads=1, n_ctx={N_CTX}, options=options) as llm:
    found = [llm.generate(prompt, params) for prompt in json.loads(sys.argv[3])]
print(json.dumps([[out.token_ids, out.usage.cached_tokens] for out in found]))
"""

# The third block's file stands half written when the process hears nothing any more.
DIE = """
import os, signal
n_written = 0
def write(path, place, content):
    global n_written
    n_written += 1
    if n_written < 3:
        return entry.write_entry(path, place, content)
    with path.with_name(path.name + ".half.tmp").open("wb", buffering=0) as file:
        file.write(content[:100])
        os.kill(os.getpid(), signal.SIGKILL)
cache.write_entry = write
"""

Answers = list[tuple[list[int], int]]


def ask(
    folder: Path, prompts: list[list[int]], before: str = "", n_bytes: int = 10**9
) -> subprocess.Popen[str]:
    code = ASK.format(before=before)
    command = [sys.executable, "-c", code, str(folder), str(n_bytes), json.dumps(prompts)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen[str]) -> Answers:
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), errors
    return [(ids, n_cached) for ids, n_cached in json.loads(output)]


@pytest.fixture(scope="module")
def expected() -> list[list[int]]:
    with LLM(FILE, n_ctx=N_CTX, options=EngineOptions(prefix_cache=False)) as llm:
        return [out.token_ids for out in llm.generate(PROMPTS, PARAMS)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_a_process_killed_while_it_writes_leaves_only_whole_blocks(
    tmp_path: Path, expected: list[list[int]]
) -> None:
    process = ask(tmp_path, PROMPTS[:1], before=DIE)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    names = sorted(path.name.rpartition(".")[2] for path in tmp_path.glob("blocks/*/*"))
    assert names.count("tmp") == 1
    assert len(names) == 3
    assert answers(ask(tmp_path, PROMPTS[:1])) == [(expected[0], 64)]
    assert answers(ask(tmp_path, PROMPTS[:1])) == [(expected[0], 96)]


def test_processes_share_a_directory_that_is_too_small_for_them(
    tmp_path: Path, expected: list[list[int]]
) -> None:
    answers(ask(tmp_path, PROMPTS[:1]))
    [size] = {path.stat().st_size - SEAL_BYTES for path in tmp_path.glob("blocks/*/*")}
    orders = PROMPTS, PROMPTS[::-1]
    both = [ask(tmp_path, order * 3, n_bytes=7 * (size + SEAL_BYTES)) for order in orders]
    for process, order in zip(both, orders, strict=True):
        assert [ids for ids, _ in answers(process)] == [expected[PROMPTS.index(p)] for p in order * 3]
    assert all(path.stat().st_size == size + SEAL_BYTES for path in tmp_path.glob("blocks/*/*"))


def test_the_reference_backend_keeps_its_own(tmp_path: Path) -> None:
    options = EngineOptions(cache_dir=tmp_path)
    for _ in range(2):
        with LLM(FILE, backend="reference", n_ctx=N_CTX, options=options) as llm:
            out = llm.generate(PROMPTS[0], PARAMS)
    assert out.usage.cached_tokens == 96
    with LLM(FILE, n_ctx=N_CTX, options=options) as llm:
        assert (llm.generate(PROMPTS[0], PARAMS).usage.cached_tokens == 96) == (llm.backend == "reference")
