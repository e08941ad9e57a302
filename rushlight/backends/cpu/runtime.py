"""The thread team: threads that each replay the whole program, with a barrier behind every op.

Between steps a thread spins on nothing: it waits on a lock, so an idle model costs no processor time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading

import numpy as np
import numpy.typing as npt

from rushlight.backends.cpu.records import BARRIER, STEP
from rushlight.errors import InvalidParameter

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
MAX_THREADS = 256


def usable_processors() -> int:
    """Processors that this process may use, one for each physical core where that is known."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = set()
    for processor in allowed:
        path = f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"
        try:
            with open(path, encoding="ascii") as file:
                cores.add(file.read().strip())
        except OSError:
            cores.add(str(processor))
    return max(1, len(cores))


def yield_address() -> int:
    """Address of the system's function that gives the processor to another thread."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Team:
    """`n_threads` threads, the caller's among them, that run a program together."""

    def __init__(self, n_threads: int, run_address: int, library: object = None) -> None:
        """Make a team; its threads start with the first program.

        Args:
            n_threads: 1 to `MAX_THREADS`.
            run_address: the native loop (kernel "run").
            library: what holds the loop's machine code; kept for as long as the team.

        Raises:
            InvalidParameter: `n_threads` is out of range.
        """
        if not 1 <= n_threads <= MAX_THREADS:
            raise InvalidParameter(f"n_threads is {n_threads}; it must be from 1 to {MAX_THREADS}.")
        self.n_threads = n_threads
        self._barrier = np.zeros(1, BARRIER)
        self._run = _RUN(run_address)
        self._library = library
        self._work = (0, 0)
        self._closing = False
        self._running = threading.Lock()
        self._start: list[threading.Semaphore] = []
        self._done = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def new_step(self) -> npt.NDArray[np.void]:
        """A step record [1] with this team's barrier; the caller fills in the rest."""
        step = np.zeros(1, STEP)
        step["barrier"], step["yield_thread"] = self._barrier.ctypes.data, yield_address()
        return step

    def _start_threads(self) -> None:
        self._closing = False
        self._start = [threading.Semaphore(0) for _ in range(1, self.n_threads)]
        for i, start in enumerate(self._start, 1):
            name = f"rushlight-{i}"
            self._threads.append(
                threading.Thread(target=self._serve, args=(i, start), name=name, daemon=True)
            )
            self._threads[-1].start()

    def _serve(self, index: int, start: threading.Semaphore) -> None:
        while True:
            start.acquire()
            if self._closing:
                return
            self._run(*self._work, index, self.n_threads)
            self._done.release()

    def run(self, program: int, step: int) -> None:
        """Run a program and return when every thread has finished it; a second caller waits its turn.

        Args:
            program: address of its first op record.
            step: address of a step record from `new_step`.
        """
        with self._running:
            if len(self._threads) != self.n_threads - 1:
                self._start_threads()
            self._work = (program, step)
            for start in self._start:
                start.release()
            self._run(program, step, 0, self.n_threads)
            for _ in self._start:
                self._done.acquire()

    def close(self) -> None:
        """End the threads; another program would start them again."""
        with self._running:
            self._closing = True
            for start in self._start:
                start.release()
            for thread in self._threads:
                thread.join()
            self._start, self._threads = [], []
