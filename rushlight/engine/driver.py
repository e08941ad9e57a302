"""One thread runs the engine for all others, so that what they ask for at once is computed in one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence
from rushlight.engine.stats import EngineStats
from rushlight.errors import QueueFull, RushlightError


class Driver:
    """The thread that steps an engine, and its mailbox. Signals such as Ctrl-C never interrupt a step.

    Args:
        engine: nobody else steps it.
        n_waiting: as in `EngineOptions`.
    """

    def __init__(self, engine: Engine, n_waiting: int | None = None) -> None:
        self._engine = engine
        self._most = None if n_waiting is None else engine.limits.n_sequences + n_waiting
        self._mail: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._closing = False
        self._n_submitted = 0
        self._thread = threading.Thread(target=self._run, name="rushlight-engine", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn; its listener hears of its tokens and of its end.

        Raises:
            QueueFull: as many sequences as may run and wait are not finished yet.
            RushlightError: the driver is closed.
        """
        with self._lock:
            if self._closing:
                raise RushlightError("The model is closed; load it again to use it.")
            if self._most is not None and self.n_unfinished >= self._most:
                raise QueueFull(
                    f"{self._most} requests run or wait, as many as n_sequences and n_waiting allow; "
                    "ask again later or raise n_waiting."
                )
            self._n_submitted += 1
            self._post(lambda: self._engine.submit(sequence))

    @property
    def n_unfinished(self) -> int:
        """Sequences that were submitted and have not ended."""
        return self._n_submitted - self._engine.n_finished

    def stats(self) -> EngineStats:
        """See `Engine.stats`; those that came during a step wait too."""
        stats = self._engine.stats()
        return stats._replace(n_waiting=max(0, self.n_unfinished - stats.n_running))

    def abort(self, sequence: Sequence) -> None:
        """End a sequence before the next step, if it has not ended."""
        self._post(lambda: self._engine.abort(sequence))

    @contextmanager
    def running(self, sequences: list[Sequence]) -> Iterator[None]:
        """Submit sequences; whatever ends the block, a Ctrl-C too, aborts those that are not finished.

        Raises:
            QueueFull: there is no room for all of them; none of them goes on.
            RushlightError: the driver is closed.
        """
        try:
            for sequence in sequences:
                self.submit(sequence)
            yield
        finally:
            for sequence in sequences:
                if sequence.finish_reason is None:
                    self.abort(sequence)

    def close(self) -> None:
        """End all sequences with an error, stop the thread and give the engine's memory back."""
        with self._lock:
            self._closing = True
            self._post(lambda: None)  # wakes the thread
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _post(self, letter: Callable[[], None]) -> None:
        """Have something done by the thread as soon as the step at hand is computed."""
        self._mail.put(letter)
        self._engine.hurry()

    def _run(self) -> None:
        while not self._closing:
            try:
                while not (self._engine.has_work and self._mail.empty()) and not self._closing:
                    self._mail.get()()
                if not self._closing:
                    self._engine.step()
            except BaseException as error:
                self._engine.fail(None, error)
        self._read_all_mail()
        self._engine.fail(None, RushlightError("The model was closed while it was writing."))
        self._engine.close()

    def _read_all_mail(self) -> None:
        while not self._mail.empty():
            self._mail.get()()
