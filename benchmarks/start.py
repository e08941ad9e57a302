"""From the start of a process to the first byte of its answer, and the most memory that it had."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engine import Measurement
from benchmarks.process import PeerError, last_json, libraries, run
from benchmarks.summary import OURS
from benchmarks.workload import Workload

SCRIPT = os.fspath(Path(__file__).with_name("first_byte.py"))
PROMPT = "Once"
ALONE = "import numpy; print()"
"""What the interpreter runs to show how much memory it takes without Rushlight."""

AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""pip compiles the modules that it installs; those of a source tree are compiled when they are first run."""

PROGRAMS = ("llama-completion", "llama-cli")
"""llama.cpp's programs that continue a text and end, newest first."""


class RushlightStart:
    """``rushlight run``, with compiled kernels in the cache; or as on a machine that has none yet."""

    def __init__(self, new_machine: bool = False) -> None:
        self.name = f"{OURS}, new machine" if new_machine else OURS
        self.once = new_machine
        self._new_machine = new_machine

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Defaults alone."""
        return ("",)

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Seconds to the first byte."""
        sizes = ["--threads", str(workload.threads), "-n", "1", "--temperature", "0"]
        command = [sys.executable, "-m", "rushlight", "run", "--raw", "-m", str(file), *sizes, PROMPT]
        if not self._new_machine:
            return first_byte(command, AS_INSTALLED)
        with tempfile.TemporaryDirectory() as home:
            return first_byte(command, {**AS_INSTALLED, "RUSHLIGHT_HOME": home})


class LlamaStart:
    """The simplest program of llama.cpp's family beside its ``llama-bench``, without its warm-up."""

    def __init__(self, name: str, program: Path) -> None:
        self.name, self.once = name, False
        self._program = program

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Defaults alone."""
        return ("",)

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Seconds to the first byte."""
        sizes = ["-t", str(workload.threads), "-n", "1", "--temp", "0", "-c", "512"]
        quiet = ["--no-warmup", "--no-display-prompt"]
        if self._program.name == "llama-completion":
            quiet.append("-no-cnv")
        command = [str(self._program), "-m", str(file), "-p", PROMPT, *sizes, *quiet]
        return first_byte(command, libraries(self._program))


def find_start_program(bench: Path) -> Path | None:
    """A program of `PROGRAMS` in the folder of a ``llama-bench``."""
    return next((bench.with_name(name) for name in PROGRAMS if bench.with_name(name).exists()), None)


def interpreter_bytes() -> int:
    """Peak memory of a Python that has imported NumPy and nothing else.

    Raises:
        PeerError: see `first_byte`.
    """
    return int(first_byte([sys.executable, "-c", ALONE], AS_INSTALLED)["peak_bytes"])


def first_byte(command: list[str], environment: Mapping[str, str]) -> Measurement:
    """Seconds until a program writes, and its peak memory in bytes.

    Raises:
        PeerError: it cannot be started, writes nothing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:  # some write a log where they run
        found = last_json(run([sys.executable, "-I", "-S", SCRIPT, *command], environment, folder))
    if not found.pop("wrote") or found["code"]:
        raise PeerError(f"wrote nothing (ended with code {found['code']})")
    return {name: found[name] for name in ("first_word", "peak_bytes")}
