"""Record llama.cpp's perplexity of SmolLM2 over tests/data/alice.txt: tests/goldens/perplexity.json.

Run from the repository root with llama.cpp's llama-perplexity (any recent build; the one recorded is that of
oracle.py) and the model, which `rushlight pull smollm2` fetches and names:

    python tests/goldens/make_perplexity.py path/to/llama-perplexity path/to/smollm2.gguf

The text: the first two chapters of Lewis Carroll's "Alice's Adventures in Wonderland" (1865, in the public
domain), its lines joined to paragraphs.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

TEXT = Path(__file__).parents[1] / "data" / "alice.txt"
TARGET = Path(__file__).parent / "perplexity.json"
# (tokens of a chunk, chunks; -1: all)
RUNS = ((128, 16), (512, -1))


def measure(tool: str, model: str, n_ctx: int, n_chunks: int) -> float:
    """llama.cpp's figure; keys and values as half, as Rushlight keeps them."""
    sizes = ["-c", str(n_ctx), "-b", str(n_ctx), "--chunks", str(n_chunks)]
    done = subprocess.run([tool, "-m", model, "-f", TEXT, *sizes], capture_output=True, text=True, check=True)
    found = re.search(r"Final estimate: PPL = ([0-9.]+)", done.stdout + done.stderr)
    if found is None:
        raise RuntimeError(f"{tool} names no perplexity:\n{done.stdout}{done.stderr}")
    return float(found[1])


def main() -> None:
    """Write perplexity.json."""
    tool, model = sys.argv[1:]
    runs = [
        {"n_ctx": n_ctx, "n_chunks": n_chunks, "value": measure(tool, model, n_ctx, n_chunks)}
        for n_ctx, n_chunks in RUNS
    ]
    digests = {"text": TEXT.read_bytes(), "model": Path(model).read_bytes()}
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()}
    TARGET.write_text(json.dumps({"sha256": sha256, "runs": runs}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
