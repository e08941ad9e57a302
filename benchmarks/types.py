"""``python -m benchmarks.types``: how fast one matrix is multiplied in every tensor type, side by side.

For one token the matrix is read from memory, far more than caches hold; for many it stays in the caches. All
types are timed in turn, round after round, so that a machine whose speed drifts slows all of them down; what
is printed is the median over the rounds of a type's share of Q4_K's speed in the same round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from rushlight.backends.cpu.features import host_processor
from rushlight.backends.cpu.layout import LANES, LAYOUTS
from rushlight.backends.cpu.memory import ALIGNMENT, Region, align
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.packer import Packer
from rushlight.backends.cpu.records import LINEAR, META_BYTES, OP_BYTES
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import Target, detect_target
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.types import row_bytes
from rushlight.quants.blocks import BLOCK_DTYPES

BASE = GGMLType.Q4_K
N_COLUMNS, N_TOKENS, PREFILL_ROWS = 4096, 512, 512
DECODE_WEIGHTS = 1 << 27
"""Weights that one token is multiplied with: 79 MB in Q4_K."""

PAGE = Path(__file__).parents[1] / "docs" / "types.md"
BEGIN, END = "<!-- table of {} -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Speed:
    """What was found for a type.

    Attributes:
        bits: of a packed weight.
        growth: packed bytes over the file's.
        decode_bytes: packed bytes a second, one token.
        decode_share: tokens a second over those of `BASE`.
        prefill_macs: multiply-accumulates a second, many tokens.
        prefill_share: tokens a second over those of `BASE`.
    """

    bits: float
    growth: float
    decode_bytes: float
    decode_share: float
    prefill_macs: float
    prefill_share: float


def random_rows(type: GGMLType, n_rows: int) -> GGUFTensor:
    """Every bit at random, but the scales of blocks."""
    raw = np.random.default_rng(0).integers(0, 256, (n_rows, row_bytes(type, N_COLUMNS)), np.uint8)
    blocks = raw.view(BLOCK_DTYPES[type])
    if blocks.dtype.names is None:
        blocks[...] = 1
        return GGUFTensor("random.weight", (n_rows, N_COLUMNS), type, raw)
    for name in {"d", "m", "dmin"} & set(blocks.dtype.names):
        blocks[name] = 32 if blocks.dtype[name].kind == "u" else 0.01
    if "e" in blocks.dtype.names:
        blocks["e"] = 120
    return GGUFTensor("random.weight", (n_rows, N_COLUMNS), type, raw)


def _apart(n_bytes: int) -> int:
    """From one row of quantized activations to the next, as the engine lays them."""
    return align(n_bytes) | ALIGNMENT


class Stand:
    """One thread team, one set of activations, and a matrix of each type."""

    def __init__(self, target: Target, types: Sequence[GGMLType], n_threads: int) -> None:
        kernels = [f"{kind}_{type.name.lower()}" for type in types for kind in ("linear", "pack")]
        self._library = KernelLibrary([*TEAM_KERNELS, *kernels], target)
        self._team = Team(n_threads, self._library)
        self._step = self._team.new_step()
        self._step["n_outputs"] = 1
        self._program = Region(2 * OP_BYTES, "a program")
        self._record = self._program.bytes[: LINEAR.itemsize].view(LINEAR)[0]
        self._weights = Region(4 * DECODE_WEIGHTS, "weights", large_pages=True)
        self._x = Region(4 * N_TOKENS * N_COLUMNS, "activations")
        self._x.bytes[...] = np.random.default_rng(1).integers(1, 64, self._x.bytes.size, np.uint8)
        self._meta = Region(N_TOKENS * N_COLUMNS, "scales of activations")
        self._meta.bytes.view(np.float32)[...] = 0.01
        self._y = Region(max(4 * N_TOKENS * PREFILL_ROWS, 4 * DECODE_WEIGHTS // N_COLUMNS), "results")
        self._packed = {type: self._pack(random_rows(type, PREFILL_ROWS)) for type in types}

    def _pack(self, tensor: GGUFTensor) -> Region:
        packer = Packer(self._library, self._team.n_threads)
        part = packer.pack(tensor)
        packer.wait()
        return part.region

    def seconds(self, type: GGMLType, n_rows: int, n_tokens: int, repeats: int) -> float:
        """The fastest of some products."""
        layout = LAYOUTS[type.name.lower()]
        packed = self._packed[type].bytes
        n_bytes = n_rows * (packed.size // PREFILL_ROWS)
        for start in range(0, n_bytes, packed.size):
            self._weights.bytes[start : start + packed.size] = packed
        floats, columns = layout.columns == 1, layout.activation_columns
        record = self._record
        record["kernel"] = self._library.addresses[f"linear_{type.name.lower()}"]
        record["weight"], record["x"], record["meta"], record["y"] = (
            self._weights.address, self._x.address, self._meta.address, self._y.address,
        )  # fmt: skip
        record["x_stride"] = 4 * N_COLUMNS if floats else _apart(N_COLUMNS)
        record["meta_stride"] = _apart(N_COLUMNS // columns * META_BYTES[columns])
        record["y_stride"], record["scale"], record["rows"] = 4 * n_rows, 1.0, 0
        record["n_groups"], record["n_blocks"] = n_rows // LANES, N_COLUMNS // layout.columns
        self._step["n_tokens"] = n_tokens
        times = []
        for _ in range(repeats):
            start_time = time.perf_counter()
            self._team.run(self._program.address, self._step.ctypes.data)
            times.append(time.perf_counter() - start_time)
        return min(times)

    def close(self) -> None:
        """End the threads."""
        self._team.close()


def measure(
    target: Target, types: Sequence[GGMLType], n_threads: int = 1, rounds: int = 5
) -> dict[GGMLType, Speed]:
    """Time every type; `BASE` is one of them.

    Args:
        target: whose kernels are timed.
        types: to be timed.
        n_threads: that compute.
        rounds: of which the medians are taken.
    """
    stand = Stand(target, types, n_threads)
    decode_rows = DECODE_WEIGHTS // N_COLUMNS
    decode: dict[GGMLType, list[float]] = {type: [] for type in types}
    prefill: dict[GGMLType, list[float]] = {type: [] for type in types}
    for _ in range(rounds):
        for type in types:
            decode[type].append(stand.seconds(type, decode_rows, 1, 3))
            prefill[type].append(stand.seconds(type, PREFILL_ROWS, N_TOKENS, 2))
    stand.close()
    return {type: _speed(type, decode, prefill) for type in types}


def _speed(
    type: GGMLType, decode: dict[GGMLType, list[float]], prefill: dict[GGMLType, list[float]]
) -> Speed:
    layout = LAYOUTS[type.name.lower()]
    packed = layout.group_bytes / LANES / layout.columns

    def share(seconds: dict[GGMLType, list[float]]) -> float:
        return median(base / own for base, own in zip(seconds[BASE], seconds[type], strict=True))

    return Speed(
        bits=8 * packed,
        growth=packed * layout.columns / layout.block_bytes,
        decode_bytes=DECODE_WEIGHTS * packed / median(decode[type]),
        decode_share=share(decode),
        prefill_macs=N_TOKENS * PREFILL_ROWS * N_COLUMNS / median(prefill[type]),
        prefill_share=share(prefill),
    )


def table(speeds: dict[GGMLType, Speed]) -> str:
    """The speeds as a table in Markdown."""
    lines = [
        "| type | bits a weight | of the file | decode GB/s | of Q4_K | prefill GMAC/s | of Q4_K |",
        "|---|---|---|---|---|---|---|",
    ]
    for type, s in speeds.items():
        lines.append(
            f"| {type.name} | {s.bits:.2f} | {s.growth:.2f} | {s.decode_bytes / 1e9:.1f}"
            f" | {s.decode_share:.2f} | {s.prefill_macs / 1e9:.0f} | {s.prefill_share:.2f} |"
        )
    return "\n".join(lines) + "\n"


def write_table(page: str, target: str, text: str) -> str:
    """The page with a target's table in place of the one that it has.

    Raises:
        ValueError: the page has no place for that target.
    """
    before, found, rest = page.partition(BEGIN.format(target))
    if not found:
        raise ValueError(f"the page has no place for a table of {target}")
    return before + found + text + END + rest.partition(END)[2]


def main() -> None:
    """Measure and print, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.types", description=__doc__)
    parser.add_argument("types", nargs="*", metavar="TYPE", help="by default all")
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/types.md")
    args = parser.parse_args()
    target = detect_target().target
    if target is None:
        raise SystemExit("no kernels run on this processor; see 'rushlight doctor'")
    names = {name.upper() for name in args.types}
    types = [type for type in GGMLType if not names or type.name in names or type is BASE]
    found = table(measure(target, types, args.threads, args.rounds))
    print(f"{target.name}, {host_processor()[0]}, {args.threads} threads\n{found}")
    if args.write:
        PAGE.write_text(write_table(PAGE.read_text("utf-8"), target.name, found), "utf-8")


if __name__ == "__main__":
    main()
