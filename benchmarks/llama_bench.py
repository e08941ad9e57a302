"""llama.cpp and ik_llama.cpp by their ``llama-bench``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.engine import Measurement
from benchmarks.process import PeerError, libraries, run
from benchmarks.workload import Workload

FLASH = ("-fa 0", "-fa 1")
LONG = 8192
"""A depth beyond which filling the cache takes minutes."""


class LlamaBench:
    """A program of llama.cpp's family.

    Args:
        name: in the report.
        program: path of ``llama-bench``.
        is_ik: whether it is ik_llama.cpp's, which repacks weights on request (``-rtr``), has no ``-d`` and
            writes its warm-up otherwise.
    """

    def __init__(self, name: str, program: Path, is_ik: bool) -> None:
        self.name, self.once = name, False
        self._program, self._is_ik = program, is_ik

    def variants(self, workload: Workload) -> tuple[str, ...]:
        """Of llama.cpp flash attention off and on at depth, of ik_llama.cpp plain and repacked elsewhere."""
        if workload.part in {"batch", "start"}:
            return ()
        if workload.part == "depth":
            # ik_llama.cpp has flash attention on unless told otherwise, and is in no bar at depth.
            if self._is_ik:
                return FLASH[1:] if workload.depth <= LONG else ()
            return FLASH
        return ("", "-rtr 1") if self._is_ik else ("",)

    def measure(self, workload: Workload, file: Path, variant: str) -> Measurement:
        """Speeds of one repetition."""
        command = [str(self._program), "-m", str(file), "-t", str(workload.threads), "-r", "1", "-o", "json"]
        output = run([*command, *self._sizes(workload), *variant.split()], libraries(self._program))
        return parse(output, workload)

    def _sizes(self, workload: Workload) -> list[str]:
        n_prompt, n_decode, depth = str(workload.n_prompt), str(workload.n_decode), workload.depth
        if not self._is_ik:
            warm = [] if workload.warm else ["--no-warmup"]
            return ["-p", n_prompt, "-n", n_decode, *(["-d", str(depth)] if depth else []), *warm]
        warm = ["-w", "1" if workload.warm else "0"]
        if depth:
            return ["-p", "0", "-n", "0", "-gp", f"{depth},{n_decode}", *warm]
        return ["-p", n_prompt, "-n", n_decode, *warm]


def parse(output: str, workload: Workload) -> Measurement:
    """The speeds in llama-bench's JSON. A row that generates is decode, whatever prompt came before.

    Raises:
        PeerError: it is no JSON, or lacks what was asked for.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(output[output.index("[") :])
    except ValueError as error:
        raise PeerError("wrote no JSON") from error
    found: Measurement = {}
    for row in rows:
        found["decode" if row["n_gen"] else "prefill"] = float(row["avg_ts"])
        found["version"] = f"{row['build_commit']} ({row['build_number']})"
    for name, size in (("prefill", workload.n_prompt), ("decode", workload.n_decode)):
        if size and name not in found:
            raise PeerError(f"measured no {name}")
    return found


def find_llama(given: str | None) -> Path | None:
    """``llama-bench``: the file or folder that was given, or the one on PATH."""
    name = given or shutil.which("llama-bench")
    if name is None:
        return None
    path = Path(name).expanduser().resolve()
    return path / "llama-bench" if path.is_dir() else path
