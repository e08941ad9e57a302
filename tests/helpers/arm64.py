"""An arm64 Linux without a machine: Debian's Python, run by qemu's user mode."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers.debian import DebianPython, require

QEMU = "qemu-aarch64-static"


class Arm64:
    """The emulated system.

    Args:
        folder: where it lies.

    Attributes:
        home: its ``RUSHLIGHT_HOME``.

    Raises:
        RuntimeError: a tool is missing, or a download fails.
    """

    def __init__(self, folder: Path) -> None:
        require({QEMU: "qemu-user-static"})
        self._system = DebianPython(folder, "aarch64")
        self.home = folder / "home"

    def run(self, arguments: Sequence[str | Path], cpu: str, path: Sequence[Path]) -> tuple[int, str]:
        """Run Python there.

        Args:
            arguments: of the interpreter.
            cpu: qemu's name of a processor.
            path: what to import from besides the wheels.

        Returns:
            The exit code, and standard output and error together.
        """
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RUSHLIGHT"))},
            "PYTHONPATH": os.pathsep.join(map(str, [*path, self._system.site])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RUSHLIGHT_HOME": str(self.home),
        }
        command = [QEMU, "-cpu", cpu, "-L", self._system.root, self._system.python, *arguments]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.returncode, done.stdout
