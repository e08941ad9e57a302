"""Packing in the background: the same bytes, errors that come to light, and an end when it is asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from helpers.cpu import randn, tensor
from helpers.pack_numpy import PACKINGS, pack_rows
from helpers.weights import random_weights

from rushlight.backends.cpu import CpuBackend, packer


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of backends that other tests have left to themselves are not counted."""
    before = packers()
    monkeypatch.setattr(sys.modules[__name__], "OTHERS", before)


OTHERS: list[threading.Thread] = []


def packers() -> list[threading.Thread]:
    found = [thread for thread in threading.enumerate() if thread.name == "rushlight-packer"]
    return [thread for thread in found if thread not in OTHERS]


@pytest.mark.parametrize("n_threads", [1, 2, 20])
@pytest.mark.parametrize("batch_bytes", [1, 5000, 1 << 20])
def test_pieces_of_any_size_give_the_same_bytes(
    batch_bytes: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packer, "BATCH_BYTES", batch_bytes)
    backend = CpuBackend(n_threads)
    tensors = [random_weights(type, 16 * n, 512) for n, type in enumerate(PACKINGS, 1)]
    matrices: list[Any] = [backend.matrix(each) for each in tensors]
    backend.wait()
    for each, matrix in zip(tensors, matrices, strict=True):
        (part,) = matrix.parts
        found = part.region.bytes.reshape(part.n_groups, part.n_blocks, -1)
        expected = np.empty_like(found)
        pack_rows(each.raw, each.type, expected)
        np.testing.assert_array_equal(found, expected)
    backend.close()
    assert not packers()


@pytest.mark.parametrize("n_threads", [1, 2, 20])
def test_what_goes_wrong_comes_to_light(n_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CpuBackend(n_threads)

    def fail(self: object, first: int = 0, stop: int | None = None) -> None:
        raise OSError(5, "the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("rushlight.gguf.GGUFTensor.release", fail)
        backend.matrix(tensor(randn(16, 32)))
        with pytest.raises(OSError, match="the disk is gone"):
            backend.wait()
    matrix: Any = backend.matrix(tensor(randn(16, 32)))  # and what comes after is not harmed
    backend.wait()
    np.testing.assert_array_equal(
        matrix.parts[0].region.bytes.view(np.float32).reshape(32, 16).T, randn(16, 32)
    )


def test_closing_gives_up_what_is_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, in_first, go_on = CpuBackend(1), threading.Event(), threading.Event()
    monkeypatch.setattr(packer, "BATCH_BYTES", 1)

    def wait(self: object, first: int = 0, stop: int | None = None) -> None:
        in_first.set()
        assert go_on.wait(10)

    monkeypatch.setattr("rushlight.gguf.GGUFTensor.release", wait)
    matrix: Any = backend.matrix(tensor(np.ones((1 << 12, 8))))
    assert in_first.wait(10)
    threading.Timer(0.2, go_on.set).start()
    backend.close()
    packed = matrix.parts[0].region.bytes.view(np.float32).reshape(-1, 128).all(axis=1)
    assert packed[0] and not packed[-1]
    assert not packers()


INTERRUPTED = """
import signal, sys, threading
import numpy as np
from rushlight.backends.cpu import CpuBackend, packer
from rushlight.gguf import GGMLType, GGUFTensor

main = threading.get_ident()
def interrupt(self, first=0, stop=None):
    if first == 0:
        signal.pthread_kill(main, signal.SIGINT)
GGUFTensor.release = interrupt
packer.BATCH_BYTES = 1
backend = CpuBackend(int(sys.argv[1]))
raw = np.ones((1 << 16, 32), np.uint8)
try:
    backend.matrix(GGUFTensor("t", (1 << 16, 8), GGMLType.F32, raw))
    backend.wait()
except KeyboardInterrupt:
    backend.close()
    print("interrupted,", sum(t.name == "rushlight-packer" for t in threading.enumerate()), "left")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a thread are POSIX")
@pytest.mark.parametrize("n_threads", ["1", "2", "20"])
def test_an_interrupt_ends_the_packing(n_threads: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, n_threads]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("interrupted, 0 left\n", 0), done.stderr
