"""How many sequences may be in the server at once, and what the one too many is told."""

from __future__ import annotations

import math
from collections import deque

from rushlight.server.errors import ApiError

_LONGEST_RETRY = 60


class Admission:
    """Counts the sequences that run and wait. Only the event loop calls it.

    Args:
        n_running: most sequences that run at once.
        n_queue: most that wait besides.

    Attributes:
        n_inside: sequences that run or wait.
        draining: nothing is let in any more, because the server stops.
    """

    def __init__(self, n_running: int, n_queue: int) -> None:
        self._n_running = n_running
        self._most = n_running + n_queue
        self._seconds: deque[float] = deque(maxlen=64)
        self.n_inside = 0
        self.draining = False

    def enter(self, n: int) -> None:
        """Let the sequences of a request in.

        Raises:
            ApiError: 429 with Retry-After where they are too many, 503 where the server stops.
        """
        if self.draining:
            raise ApiError(503, "The server is stopping; it takes no requests any more.", code="draining")
        if n > self._most:
            raise ApiError(
                400, f"The request asks for {n} sequences; this server holds {self._most} at once."
            )
        if self.n_inside + n > self._most:
            raise ApiError(
                429,
                f"The server is full: {self.n_inside} sequences run or wait, at most {self._most} may; try "
                "again later.",
                code="queue_full",
                headers={"Retry-After": str(self.retry_after())},
            )
        self.n_inside += n

    @property
    def is_full(self) -> bool:
        """Whether the next sequence would be refused."""
        return self.n_inside >= self._most

    def leave(self, n: int, seconds: float) -> None:
        """Let n sequences of a request out that took so long."""
        self.n_inside -= n
        self._seconds.append(seconds)

    def retry_after(self) -> int:
        """In how many seconds a place may be free: what a request took of late, shared by those that run."""
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else 1.0
        return min(_LONGEST_RETRY, max(1, math.ceil(mean / self._n_running)))


def too_late(seconds: float) -> ApiError:
    """The error of what takes longer than it may."""
    return ApiError(
        504, f"The answer was not done after {seconds:g} seconds, which is the limit.", code="timeout"
    )
