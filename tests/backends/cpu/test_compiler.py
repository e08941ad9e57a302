"""Object files for other processors and systems, made here."""

from __future__ import annotations

import pytest
from helpers.objects import undefined_symbols

from rushlight.backends.cpu.compiler import compile_kernel
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.records import OP_BYTES
from rushlight.backends.cpu.target import TARGETS, Target

SYSTEMS = {
    "x86_64": ("x86_64-unknown-linux-gnu", "x86_64-apple-macosx11.0.0", "x86_64-pc-windows-msvc"),
    "aarch64": ("aarch64-unknown-linux-gnu", "arm64-apple-macosx11.0.0"),
}
CASES = [(target, triple) for target in TARGETS for triple in SYSTEMS[target.machine]]


@pytest.mark.parametrize(("target", "triple"), CASES, ids=lambda value: getattr(value, "name", value))
def test_kernels_for_every_target_need_nothing_from_elsewhere(target: Target, triple: str) -> None:
    for kernel in ("linear_q4_0", "run"):
        missing = {name.lstrip("_") for name in undefined_symbols(compile_kernel(kernel, target, triple))}
        # Windows links this mark into whatever uses floating point.
        assert missing <= {"fltused"}, kernel


def test_every_record_fits_its_place() -> None:
    assert all(source.record is None or source.record.itemsize <= OP_BYTES for source in KERNELS.values())
    assert OP_BYTES % 64 == 0
