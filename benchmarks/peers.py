"""Other engines that are found on this machine, measured on the same files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import DECODE_TOKENS, PROMPT_TOKENS, REPEATS


def find_llama_bench(path: str | None) -> str | None:
    """llama.cpp's ``llama-bench``: the given path, or the one on PATH."""
    return path or shutil.which("llama-bench")


def llama_bench(program: str, file: Path, n_threads: int) -> dict[str, float]:
    """Prefill and decode speed of llama.cpp, in tokens a second."""
    command = [
        program,
        "-m",
        str(file),
        "-t",
        str(n_threads),
        "-p",
        str(PROMPT_TOKENS),
        "-n",
        str(DECODE_TOKENS),
    ]
    output = subprocess.run(
        [*command, "-r", str(REPEATS), "-o", "json"], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(output)
    return {
        "prefill": next(row["avg_ts"] for row in found if row["n_prompt"]),
        "decode": next(row["avg_ts"] for row in found if row["n_gen"]),
    }
