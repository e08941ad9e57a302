"""Compiling in other processes: what they give back, and what happens when they cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from rushlight.backends.cpu import workers
from rushlight.backends.cpu.target import TARGETS
from rushlight.backends.cpu.workers import Job, compile_in_parallel
from rushlight.errors import BackendUnavailable

ADD = Job("add", TARGETS[0], ("elf", "coff"))
OUTPUTS = Job("outputs", TARGETS[-1], ("macho",))
MAGIC = {"elf": b"\x7fELF", "coff": b"\x64\x86", "macho": b"\xcf\xfa\xed\xfe"}


def compiled(jobs: list[Job]) -> dict[Job, list[bytes]]:
    results: dict[Job, list[bytes]] = {}
    compile_in_parallel(jobs, results.__setitem__)
    return results


def test_every_job_is_done_in_every_format() -> None:
    results = compiled([ADD, OUTPUTS])
    assert set(results) == {ADD, OUTPUTS}
    for job, objects in results.items():
        assert all(code.startswith(MAGIC[format]) for code, format in zip(objects, job.formats, strict=True))


@pytest.mark.parametrize("executable", ["", "/nowhere/python3", "/bin/true-app", "lost"])
def test_without_other_processes_this_one_compiles(executable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if executable == "lost":
        monkeypatch.setattr(workers, "_BOOT", "raise SystemExit(3)")
    else:
        monkeypatch.setattr(sys, "executable", executable)
    (objects,) = compiled([ADD]).values()
    assert objects[0].startswith(MAGIC["elf"])


def test_a_kernel_that_does_not_compile_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailable, match=r"nonsense does not compile for .*KeyError"):
        compiled([Job("nonsense", TARGETS[0], ("elf",))])
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(BackendUnavailable, match=r"nonsense does not compile for .*KeyError"):
        compiled([Job("nonsense", TARGETS[0], ("elf",))])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")
def test_an_interrupt_ends_the_workers() -> None:
    code = (
        "from rushlight.backends.cpu import workers\n"
        "from rushlight.backends.cpu.target import TARGETS\n"
        "started = workers._start\n"
        "def start(n):\n"
        "    found = started(n)\n"
        "    print(*[worker._process.pid for worker in found], flush=True)\n"
        "    return found\n"
        "workers._start = start\n"
        "jobs = [workers.Job('attention_f16', TARGETS[0], ('elf',) * n) for n in range(1, 9)]\n"
        "workers.compile_in_parallel(jobs, print)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None
    pids = [int(pid) for pid in run.stdout.readline().split()]
    assert pids
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=20)
    assert run.returncode != 0
    assert b"KeyboardInterrupt" in error
    for pid in pids:
        assert subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode != 0
