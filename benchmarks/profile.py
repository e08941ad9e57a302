"""Where the time of a step goes, kernel by kernel: ``python -m benchmarks.profile MODEL``.

Every op of the program is run as a program of its own and timed, so small ops look larger than they are: each
carries the few microseconds of a call from Python.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.records import OP_BYTES, STEP
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.processors import usable_processors
from rushlight.engine.stride import Stride


@dataclass
class Spent:
    """What a kernel took in all steps: seconds, calls, packed bytes of weights and multiply-accumulates."""

    seconds: float = 0.0
    calls: int = 0
    weight_bytes: int = 0
    macs: int = 0


class Profiler:
    """Stands in for `Team.run`.

    Attributes:
        spent: by kernel, of steps with several tokens ("prefill") and with one ("decode").
    """

    def __init__(self) -> None:
        self.spent: dict[str, dict[str, Spent]] = {kind: defaultdict(Spent) for kind in ("prefill", "decode")}
        self._run, self._n_steps = Team.run, Stride.n_steps
        self._single = Region(2 * OP_BYTES, "one op")

    def __enter__(self) -> None:
        def run(team: Team, program: int, step: int) -> None:
            self.run(team, program, step)

        Team.run = run  # type: ignore[method-assign, assignment]
        Stride.n_steps = lambda *_: 1  # type: ignore[method-assign]  # an op alone cannot say what comes behind

    def __exit__(self, *error: object) -> None:
        Team.run, Stride.n_steps = self._run, self._n_steps  # type: ignore[method-assign]

    def run(self, team: Team, program: int, step: int) -> None:
        """Run a program op by op."""
        names = {address: name for name, address in team._library.addresses.items()}
        fields = np.frombuffer(ctypes.string_at(step, STEP.itemsize), STEP)[0]
        while True:
            record = ctypes.string_at(program, OP_BYTES)
            kernel = int.from_bytes(record[:8], "little")
            if not kernel:
                return
            self._single.bytes[:OP_BYTES] = np.frombuffer(record, np.uint8)
            start = time.perf_counter()
            self._run(team, self._single.address, step)
            self._add(names.get(kernel, "?"), record, fields, time.perf_counter() - start)
            program += OP_BYTES

    def _add(self, name: str, raw: bytes, step: np.void, seconds: float) -> None:
        source = KERNELS.get(name)
        if source is None or source.record is None or name.startswith("pack_"):
            return
        spent = self.spent["prefill" if step["n_tokens"] > 1 else "decode"][name]
        spent.seconds += seconds
        spent.calls += 1
        kind = next((kind for kind in LAYOUTS if name.split("_", 1)[-1].startswith(kind)), None)
        if name.startswith("linear_") and kind is not None:
            record = np.frombuffer(raw[: source.record.itemsize], source.record)[0]
            n_blocks = int(record["n_groups"]) * int(record["n_blocks"])
            rows = int(step["n_outputs" if record["rows"] else "n_tokens"])
            spent.weight_bytes += n_blocks * LAYOUTS[kind].group_bytes
            spent.macs += 16 * n_blocks * LAYOUTS[kind].columns * rows


def table(spent: dict[str, Spent], n_steps: int) -> str:
    """Kernels by the time they take, in milliseconds a step."""
    total = sum(s.seconds for s in spent.values())
    lines = [f"{'kernel':<24}{'ms':>10}{'share':>8}{'calls':>8}{'GB/s':>8}{'GMAC/s':>9}"]
    for name, s in sorted(spent.items(), key=lambda item: -item[1].seconds):
        rates = ""
        if s.macs:
            rates = f"{s.weight_bytes / s.seconds / 1e9:8.1f}{s.macs / s.seconds / 1e9:9.1f}"
        each = f"{1e3 * s.seconds / n_steps:10.3f}{s.seconds / total:8.1%}{s.calls / n_steps:8.0f}"
        lines.append(f"{name:<24}{each}{rates}")
    return "\n".join([*lines, f"{'all':<24}{1e3 * total / n_steps:10.3f}"])


def main() -> None:
    """Profile a prompt and the tokens behind it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("-t", "--threads", type=int, default=usable_processors())
    parser.add_argument("-p", "--n-prompt", type=int, default=512)
    parser.add_argument("-n", "--n-gen", type=int, default=32)
    args = parser.parse_args()
    profiler = Profiler()
    params = SamplingParams(max_tokens=args.n_gen + 1, temperature=0, ignore_eos=True)
    options = EngineOptions(prefix_cache=False)
    n_ctx = args.n_prompt + args.n_gen + 2
    with LLM(args.model, n_threads=args.threads, n_ctx=n_ctx, options=options) as llm:
        prompt = np.random.default_rng(0).integers(300, llm.tokenizer.n_vocab // 2, args.n_prompt).tolist()
        llm.generate(prompt, params)
        with profiler:
            llm.generate(prompt, params)
    n_steps = {"prefill": 1, "decode": args.n_gen}
    for kind, spent in profiler.spent.items():
        if spent:
            print(f"{kind}, {args.threads} threads\n{table(spent, n_steps[kind])}\n")


if __name__ == "__main__":
    main()
