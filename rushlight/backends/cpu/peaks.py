"""The limits of this machine, measured: memory reads, integer dot products and float multiplications.

The kernels in `kernels.peaks` are run by a team of the engine's threads, so what is found is what those
threads can do at most. Noise only slows a burst of arithmetic down, so of many bursts the fastest counts.
Memory is shared with whatever else runs: what it gives in the middle is what a model can have, so of bursts
of reading the median counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from rushlight.backends.base import Progress
from rushlight.backends.cpu.dots import DOT_KINDS
from rushlight.backends.cpu.kernels.peak_shapes import PEAK_KIND, PEAK_SHAPES, READ_BYTES, ROUNDS
from rushlight.backends.cpu.layout import LANES
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import OP_BYTES, PEAK
from rushlight.backends.cpu.runtime import MAX_THREADS, Team
from rushlight.backends.cpu.target import Target

KERNELS = ("peak_read", "peak_dot", "peak_fma")
READ_REGION = 512 * 2**20
READ_PIECE = 4096 * READ_BYTES
BURST_SECONDS = 0.02
PIECES_PER_THREAD = 16


@dataclass(frozen=True)
class Peaks:
    """What a team of threads can do at most, in a second.

    Attributes:
        n_threads: threads in the team.
        read_bytes: bytes read from memory, each thread one behind the other or from four places at once,
            whichever is faster.
        dot_macs: 8-bit multiply-accumulates with the target's dot product, operands at hand.
        fma_flops: float32 operations, two for each fused multiply-add.
    """

    n_threads: int
    read_bytes: float
    dot_macs: float
    fma_flops: float

    @classmethod
    def mean(cls, peaks: Sequence[Peaks]) -> Peaks:
        """The mean of each limit over several measurements of the same team."""
        return cls(
            n_threads=peaks[0].n_threads,
            read_bytes=fmean(p.read_bytes for p in peaks),
            dot_macs=fmean(p.dot_macs for p in peaks),
            fma_flops=fmean(p.fma_flops for p in peaks),
        )


class PeakMeter:
    """Kernels and memory for measuring a team.

    Args:
        target: whose instructions are measured.
        team: whose threads are measured.
        progress: told of kernels that are compiled.
        read_bytes: memory that is read, a multiple of `READ_PIECE`; it should be far more than caches hold.

    Raises:
        OutOfMemory: the system refuses `read_bytes`.
    """

    def __init__(
        self, target: Target, team: Team, progress: Progress | None = None, read_bytes: int = READ_REGION
    ) -> None:
        self._team = team
        self._library = KernelLibrary(KERNELS, target, progress)
        self._memory = Region(read_bytes, "measuring memory", large_pages=True)
        self._memory.bytes.fill(1)  # Memory that was never written is no memory yet.
        self._sums = Region(64 * 16 * MAX_THREADS, "measuring")
        self._program = Region(2 * OP_BYTES, "measuring")
        self._record = self._program.bytes[: PEAK.itemsize].view(PEAK)[0]
        self._record["x"], self._record["y"] = self._memory.address, self._sums.address
        self._step = team.new_step()
        shape = PEAK_SHAPES[target.dots]
        self._dot_macs = shape.rows * DOT_KINDS[PEAK_KIND].vectors * 4 * LANES * ROUNDS
        self._fma_flops = 2 * shape.float_rows * LANES * ROUNDS

    def measure(self, seconds: float = 0.3) -> Peaks:
        """Measure each limit for about that many seconds."""
        n_pieces = PIECES_PER_THREAD * self._team.n_threads
        read = max(
            self._reading(128, READ_BYTES, seconds / 2), self._reading(READ_PIECE // 4, 128, seconds / 2)
        )
        dot = self._loops("peak_dot", self._dot_macs, n_pieces, seconds)
        fma = self._loops("peak_fma", self._fma_flops, n_pieces, seconds)
        return Peaks(self._team.n_threads, read, dot, fma)

    def _reading(self, stream: int, advance: int, seconds: float) -> float:
        """The median rate of reading all memory with streams so far apart that advance by so much."""
        self._record["stream"], self._record["advance"] = stream, advance
        return median(
            self._rates("peak_read", self._memory.n_bytes // READ_PIECE, READ_PIECE, READ_PIECE, seconds)
        )

    def _loops(self, kernel: str, work: int, n_pieces: int, seconds: float) -> float:
        """The best rate of a kernel that does `work` in a loop, in bursts of `BURST_SECONDS`."""
        first = max(self._rates(kernel, n_pieces, 64, 64 * work, 0))
        loops = max(1, int(first * BURST_SECONDS / work / n_pieces))
        return max(self._rates(kernel, n_pieces, loops, loops * work, seconds))

    def _rates(self, kernel: str, n_pieces: int, piece: int, work: int, seconds: float) -> list[float]:
        """Work a second of burst after burst, three at least."""
        self._record["kernel"] = self._library.addresses[kernel]
        self._record["n_pieces"], self._record["piece"] = n_pieces, piece
        rates: list[float] = []
        begin = time.perf_counter()
        while len(rates) < 3 or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            self._team.run(self._program.address, self._step.ctypes.data)
            rates.append(n_pieces * work / (time.perf_counter() - start))
        return rates
