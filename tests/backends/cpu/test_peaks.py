"""The kernels that measure the machine: they do the work that is counted, with the instruction meant."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from rushlight.backends.cpu.compiler import compile_kernel
from rushlight.backends.cpu.dots import DOTS
from rushlight.backends.cpu.kernels.peak_shapes import PEAK_SHAPES, ROUNDS
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.peaks import KERNELS, PeakMeter
from rushlight.backends.cpu.records import OP_BYTES, PEAK
from rushlight.backends.cpu.runtime import TEAM_KERNELS, Team
from rushlight.backends.cpu.target import TARGETS, detect_target

PRODUCTS = {
    "avx2": "vpmaddubsw",
    "avxvnni": "vpdpbusd",
    "avx512vnni": "vpdpbusd",
    "neon": "sdot",
    "i8mm": "smmla",
}
FMAS = {"x86_64": r"vfmadd\d+ps", "aarch64": "fmla"}
REGISTER_BYTES = {"avx2": 32, "avxvnni": 32, "avx512vnni": 64, "neon": 16, "i8mm": 32}
N_PIECES, PIECE = 3, 2


def innermost_loop(assembly: str, instruction: str) -> list[str]:
    """The lines of the last loop that has the instruction: from a label to the jump back to it."""
    loops = re.findall(r"^(\.LBB\d+_\d+):((?:(?!^\.LBB).*\n)*?.*\s\1\b.*)$", assembly, re.MULTILINE)
    bodies = [body.splitlines() for _, body in loops if re.search(instruction, body)]
    assert bodies, f"no loop has {instruction}"
    return bodies[-1]


def count(lines: list[str], instruction: str) -> int:
    return sum(bool(re.search(rf"\b{instruction}\b", line)) for line in lines)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_the_loop_has_as_many_products_as_are_counted(target: Any) -> None:
    shape, width = PEAK_SHAPES[target.dots], REGISTER_BYTES[target.dots]
    dot = innermost_loop(
        compile_kernel("peak_dot", target, "elf", assembly=True).decode(), PRODUCTS[target.dots]
    )
    rounds, rest = divmod(count(dot, PRODUCTS[target.dots]), shape.rows * 8 * 64 // width)
    assert rounds >= 1 and not rest
    fma = innermost_loop(
        compile_kernel("peak_fma", target, "elf", assembly=True).decode(), FMAS[target.machine]
    )
    rounds, rest = divmod(count(fma, FMAS[target.machine]), shape.float_rows * 64 // width)
    assert rounds >= 1 and not rest


def test_every_instruction_set_has_a_shape() -> None:
    assert set(PEAK_SHAPES) == set(DOTS)
    assert all(64 * max(shape.rows, shape.float_rows) <= 64 * 16 for shape in PEAK_SHAPES.values())


class Peak:
    """A peak kernel of this machine on memory of the test."""

    def __init__(self) -> None:
        target = detect_target().target
        assert target is not None
        self.shape = PEAK_SHAPES[target.dots]
        self.library = KernelLibrary([*KERNELS, *TEAM_KERNELS], target)
        self.team = Team(1, self.library)
        self.x, self.y = Region(N_PIECES * 16384, "a test"), Region(1 << 16, "a test")

    def run(self, kernel: str, piece: int, stream: int = 0, advance: int = 0) -> None:
        program = Region(2 * OP_BYTES, "a test")
        record = program.bytes[: PEAK.itemsize].view(PEAK)[0]
        record["kernel"] = self.library.addresses[kernel]
        record["x"], record["y"] = self.x.address, self.y.address
        record["n_pieces"], record["piece"] = N_PIECES, piece
        record["stream"], record["advance"] = stream, advance
        self.team.run(program.address, self.team.new_step().ctypes.data)


@pytest.fixture
def peak() -> Peak:
    return Peak()


def test_the_dot_product_adds_what_it_should(peak: Peak) -> None:
    memory = np.random.default_rng(0).integers(0, 16, ROUNDS * 512, np.uint8)
    peak.x.bytes[: len(memory)] = memory
    peak.run("peak_dot", PIECE)
    words = memory[: 4 * peak.shape.words].reshape(-1, 4).astype(np.int64)
    weights = memory.reshape(-1, 16, 4).astype(np.int64).sum(axis=0)
    for row in range(peak.shape.rows):
        expected = N_PIECES * PIECE * (weights @ words[row % len(words)])
        np.testing.assert_array_equal(peak.y.bytes[64 * row : 64 * row + 64].view(np.int32), expected)


def test_the_float_sums_are_what_they_should_be(peak: Peak) -> None:
    n = max(ROUNDS, peak.shape.float_rows + 1) * 16
    values = np.random.default_rng(1).integers(1, 4, n).astype(np.float32)  # exact in float32
    peak.x.bytes[: 4 * n] = values.view(np.uint8)
    peak.run("peak_fma", PIECE)
    vectors = values.reshape(-1, 16)
    for row in range(peak.shape.float_rows):
        expected = vectors[row] + N_PIECES * PIECE * values[0] * vectors[:ROUNDS].sum(axis=0)
        np.testing.assert_array_equal(peak.y.bytes[64 * row : 64 * row + 64].view(np.float32), expected)


@pytest.mark.parametrize(("stream", "advance"), [(128, 512), (4096, 128)])
def test_all_memory_is_read(peak: Peak, stream: int, advance: int) -> None:
    values = np.random.default_rng(2).integers(-9, 9, peak.x.n_bytes // 4).astype(np.float32)
    peak.x.bytes[:] = values.view(np.uint8)
    peak.run("peak_read", 16384, stream, advance)
    found = peak.y.bytes[:64].view(np.float32)
    np.testing.assert_array_equal(found, values.reshape(-1, 16).sum(axis=0))


def test_limits_are_positive_for_every_team() -> None:
    target = detect_target().target
    assert target is not None
    library = KernelLibrary(TEAM_KERNELS, target)
    for n_threads in (1, 2):
        team = Team(n_threads, library)
        peaks = PeakMeter(target, team, read_bytes=2**24).measure(seconds=0)
        team.close()
        assert peaks.n_threads == n_threads
        assert 1e8 < peaks.read_bytes < 1e13
        assert 1e9 < peaks.dot_macs < 1e14
        assert 1e8 < peaks.fma_flops < 1e14
