"""The thread team: threads that each replay the whole program, with a barrier behind every op.

Between the steps of a running generation a thread waits in native code for some tens of microseconds (see
`kernels.loop`); then it sleeps on a queue, so that an idle model costs no processor time.

Threads are not tied to cores: two processes that do so in the same order share some cores while others stand
idle, and which cores are busy is known to the system alone.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import ASLEEP_LIMIT, MOST_SPINS, STEP, TEAM, offset
from rushlight.errors import InvalidParameter

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
MAX_THREADS = 256
TEAM_KERNELS = ("lead", "serve")


def yield_address() -> int:
    """Address of the system's function that gives the processor to another thread."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Team:
    """`n_threads` threads, the caller's among them, that run a program together."""

    def __init__(self, n_threads: int, library: KernelLibrary) -> None:
        """Make a team; its threads start with the first program.

        Args:
            n_threads: 1 to `MAX_THREADS`.
            library: holds `TEAM_KERNELS`; kept for as long as the team.

        Raises:
            InvalidParameter: `n_threads` is out of range.
        """
        if not 1 <= n_threads <= MAX_THREADS:
            raise InvalidParameter(f"n_threads is {n_threads}; it must be from 1 to {MAX_THREADS}.")
        self.n_threads = n_threads
        self._library = library
        self._lead, self._serve = (_KERNEL(library.addresses[name]) for name in TEAM_KERNELS)
        self._record = np.zeros(1, TEAM)
        self._record["yield_thread"] = yield_address()
        self._record["spins"] = MOST_SPINS
        self._address: int = self._record.ctypes.data
        # Single numbers are read and written faster as words than as fields.
        self._words = self._record.view(np.int64)
        names = ("posted", "program", "step", "finished")
        self._posted, self._program, self._step, self._finished = (offset(TEAM, n) // 8 for n in names)
        self._running = threading.Lock()
        self._started = False
        self._wake: list[SimpleQueue[bool]] = []
        self._threads: list[threading.Thread] = []

    @staticmethod
    def new_step() -> npt.NDArray[np.void]:
        """A step record [1] of zeros; the caller fills in what its program needs."""
        return np.zeros(1, STEP)

    def _start_threads(self) -> None:
        """Start every thread, asleep. If that is interrupted, the rest is started with the next program."""
        if not self._threads:
            self._words[self._posted] = self.n_threads - 1
            self._wake = [SimpleQueue() for _ in range(1, self.n_threads)]
            self._threads = [
                threading.Thread(target=self._work, args=(i, wake), name=f"rushlight-{i}", daemon=True)
                for i, wake in enumerate(self._wake, 1)
            ]
        for thread in self._threads:
            if not thread.is_alive():
                thread.start()
        self._started = True

    def _work(self, index: int, wake: SimpleQueue[bool]) -> None:
        while wake.get():
            self._serve(self._address, 0, index, self.n_threads)

    def run(self, program: int, step: int) -> None:
        """Run a program and return when every thread has finished it; a second caller waits its turn.

        Args:
            program: address of its first op record; it has at least one op.
            step: address of a step record.
        """
        words = self._words
        with self._running:
            if not self._started:
                self._start_threads()
            words[self._program], words[self._step], words[self._finished] = program, step, 0
            while not words[self._finished]:
                if words[self._posted] % ASLEEP_LIMIT:
                    for wake in self._wake:
                        wake.put(True)
                self._lead(self._address, 0, 0, self.n_threads)

    def close(self) -> None:
        """End the threads; another program would start them again."""
        with self._running:
            for wake in self._wake:
                wake.put(False)
            for thread in self._threads:
                if thread.is_alive():
                    thread.join()
            self._wake, self._threads, self._started = [], [], False
