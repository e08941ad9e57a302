"""Engines that are Python packages, each run by a script of `benchmarks/peers` and maybe another interpreter.

A script is told, as JSON in its only argument, the file, threads, prompt (token ids), n_decode, variant and
greedy; on its last line it writes JSON with ``prefill`` and ``decode`` (tokens a second), ``version`` and,
where greedy was asked for, ``greedy`` (token ids).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.engine import Measurement
from benchmarks.process import PeerError, last_json, run
from benchmarks.workload import Workload
from rushlight.backends.processors import usable_processors

SCRIPTS = Path(__file__).parent / "peers"


def _bfloat16() -> str | None:
    """The feature of this processor that multiplies bfloat16; without one it is slower than float32."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return None
    return next((word for word in words if word in {"avx512_bf16", "amx_bf16", "bf16"}), None)


class Package(NamedTuple):
    """A package, the script that runs it, and settings to try. Those in no bar run once, on all threads."""

    name: str
    module: str
    script: str
    variants: tuple[str, ...] = ("",)
    in_bars: bool = False


PACKAGES = (
    Package("llama-cpp-python", "llama_cpp", "llama_cpp_peer.py"),
    Package("openvino-genai", "openvino_genai", "openvino_peer.py", in_bars=True),
    Package("mistralrs", "mistralrs", "mistralrs_peer.py"),
    Package(
        "transformers",
        "transformers, torch, accelerate, gguf",
        "transformers_peer.py",
        ("float32",) if _bfloat16() is None else ("float32", "bfloat16"),
    ),
)


class PythonPeer:
    """A package and the interpreter that has it."""

    def __init__(self, package: Package, python: str) -> None:
        self.name, self.once = package.name, not package.in_bars
        self._package, self._python = package, python

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """The small models, and the large ones where there is a bar."""
        if self._package.in_bars:
            takes_part = workload.part in {"models", "phi3"}
        else:
            takes_part = workload.part == "models" and workload.threads >= usable_processors()
        return self._package.variants if takes_part else ()

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Speeds of one repetition, after a short warm-up of the script's own."""
        rng = random.Random(0)
        prompt = [rng.randrange(1000, 20000) for _ in range(workload.n_prompt)]
        return self._told(
            {"file": str(file), "prompt": prompt, "n_decode": workload.n_decode, "variant": variant},
            workload.threads,
        )

    def greedy(self, file: Path, prompt: Sequence[int], n_tokens: int) -> list[int]:
        """Greedy tokens behind a prompt.

        Raises:
            PeerError: there are none.
        """
        task = {"file": str(file), "prompt": list(prompt), "n_decode": n_tokens, "greedy": True}
        found = self._told(task, 1)
        if "greedy" not in found:
            raise PeerError("tells no token ids")
        return [int(i) for i in found["greedy"]]

    def _told(self, task: dict[str, object], threads: int) -> Measurement:
        environment = {name: str(threads) for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")}
        argument = json.dumps({**task, "threads": threads})
        found = last_json(run([self._python, str(SCRIPTS / self._package.script), argument], environment))
        if not isinstance(found, dict):
            raise PeerError("wrote no JSON object")
        return found


def find_packages(interpreters: Sequence[str]) -> tuple[list[PythonPeer], dict[str, str]]:
    """The packages that some interpreter can import, and for the others why not."""
    found, missing = [], {}
    for package in PACKAGES:
        for python in interpreters:
            try:
                run([python, "-c", f"import {package.module}"])
            except PeerError as error:
                missing[package.name] = str(error)
            else:
                found.append(PythonPeer(package, python))
                missing.pop(package.name, None)
                break
    return found, missing
