"""Compiling in parallel: a process for each core, because Numba holds Python's lock while it works.

They also keep Numba, a second of imports and a hundred megabytes, out of this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rushlight.backends.cpu.target import Target
from rushlight.backends.cpu.worker import compile_objects
from rushlight.backends.processors import usable_processors
from rushlight.errors import BackendUnavailable

# The worker imports from where this process does; the folder it starts in does not matter.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline());"
    "from rushlight.backends.cpu.worker import serve; serve()"
)
_SLOW = ("attention", "linear")
"""Kernels to begin with, so that the longest does not come last."""


@dataclass(frozen=True)
class Job:
    """A kernel to compile for a target, in one or several object formats."""

    kernel: str
    target: Target
    formats: tuple[str, ...]


def _failure(job: Job, reason: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"Kernel {job.kernel} does not compile for {job.target.name} ({reason}); 'rushlight doctor' tells "
        "the versions of Numba and llvmlite. The reference backend needs neither."
    )


class _WorkerLost(Exception):
    """A worker could not be started, or ended before its answer."""


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        executable = sys.executable or ""
        if getattr(sys, "frozen", False) or not Path(executable).name.lower().startswith(("python", "pypy")):
            raise _WorkerLost("this process is no Python interpreter that could be started again")
        pipe = subprocess.PIPE
        # A user's settings for Numba, such as bounds checks, would shape the code.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        try:
            self._process = subprocess.Popen(
                [executable, "-I", "-c", _BOOT],
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise _WorkerLost(str(error)) from error
        self._send([os.path.abspath(path) for path in sys.path])

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _WorkerLost(str(error)) from error

    def compile(self, job: Job) -> list[bytes]:
        """Wait for a job's object files.

        Raises:
            BackendUnavailable: the compiler refused the kernel.
            _WorkerLost: the process ended.
        """
        self._send({"kernel": job.kernel, "target": job.target._asdict(), "formats": job.formats})
        assert self._process.stdout is not None
        header = self._process.stdout.readline()
        if not header:
            raise _WorkerLost("it ended before its answer")
        answer = json.loads(header)
        if "error" in answer:
            raise _failure(job, answer["error"])
        objects = [self._process.stdout.read(size) for size in answer["sizes"]]
        if [len(code) for code in objects] != answer["sizes"]:
            raise _WorkerLost("it ended in its answer")
        return objects

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was not sent is no longer wanted
                pipe.close()
        self._process.wait()


_Result = tuple[Job, "list[bytes]"]


def _feed(worker: _Worker, jobs: deque[Job], results: queue.SimpleQueue[_Result | Exception | None]) -> None:
    """Give a worker one job after the other; the last word is what stopped it, or None."""
    error = None
    try:
        while True:
            job = jobs.popleft()
            results.put((job, worker.compile(job)))
    except IndexError:
        pass  # nothing is left to do
    except Exception as stop:
        error = stop
    results.put(error)


def _start(n_workers: int) -> list[_Worker]:
    workers: list[_Worker] = []
    try:
        while len(workers) < n_workers:
            workers.append(_Worker())
    except _WorkerLost:
        pass  # those that did start do the work, or this process does
    return workers


def compile_in_parallel(jobs: Sequence[Job], done: Callable[[Job, list[bytes]], None]) -> None:
    """Compile kernels on all cores; in this process where no other can be started.

    Args:
        jobs: what to compile, each job once.
        done: called in this thread with each finished job and its object files, in the order of the formats.

    Raises:
        BackendUnavailable: the compiler refused a kernel.
    """
    waiting = sorted(jobs, key=lambda job: not job.kernel.startswith(_SLOW))
    left = dict.fromkeys(waiting)
    pending, results = deque(waiting), queue.SimpleQueue[_Result | Exception | None]()
    workers = _start(min(len(waiting), usable_processors()))
    try:
        for worker in workers:
            threading.Thread(target=_feed, args=(worker, pending, results), daemon=True).start()
        n_running = len(workers)
        while n_running:
            result = results.get()
            if isinstance(result, tuple):
                done(*result)
                del left[result[0]]
            elif isinstance(result, BackendUnavailable):
                raise result
            else:
                n_running -= 1
    finally:
        for worker in workers:
            worker.kill()
    for job in left:
        try:
            objects = compile_objects(job.kernel, job.target, list(job.formats))
        except Exception as error:
            raise _failure(job, f"{type(error).__name__}: {error}") from error
        done(job, objects)
