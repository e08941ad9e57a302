"""The bridge from the event loop to the engine's thread and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rushlight.completion import Completion
from rushlight.server.answers import Answers, Job
from rushlight.server.limits import Admission, too_late

if TYPE_CHECKING:
    from rushlight.llm import LLM

_N_THREADS = 4
T = TypeVar("T")


class Calls:
    """Calls functions that wait for the engine, in threads of their own.

    Args:
        threads: which.
        seconds: that all calls together may take.
    """

    def __init__(self, threads: ThreadPoolExecutor, seconds: float) -> None:
        self._threads = threads
        self._seconds = seconds
        self._end = time.perf_counter() + seconds

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        """What the function gives; a call that takes too long goes on, but nobody waits for it.

        Raises:
            ApiError: the time is over.
        """
        calling = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        try:
            return await asyncio.wait_for(calling, self._end - time.perf_counter())
        except asyncio.TimeoutError:
            raise too_late(self._seconds) from None


class Client:
    """Asks a model on behalf of the event loop.

    Args:
        llm: the model.
        admission: who may ask.
    """

    def __init__(self, llm: LLM, admission: Admission) -> None:
        self.llm = llm
        self.admission = admission
        self._threads = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="rushlight-server")
        self._callers = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="rushlight-caller")
        self._open: set[Answers] = set()

    async def start(self, job: Job) -> Answers:
        """Begin to answer a job.

        Raises:
            ApiError: the server is full, or stops.
            TemplateError, InvalidParameter, ContextOverflow: as `LLM.stream`.
        """
        answers = Answers(job, self.llm, self.admission, self._threads)
        self._open.add(answers)
        try:
            await answers.start()
        except BaseException:
            self.end(answers)
            raise
        return answers

    def end(self, answers: Answers) -> None:
        """Close answers that were started."""
        answers.close()
        self._open.discard(answers)

    async def complete(self, job: Job) -> list[Completion]:
        """All completions of a job. Raises what `start` raises, and what ended an answer."""
        answers = await self.start(job)
        try:
            return await answers.completions()
        finally:
            self.end(answers)

    @contextmanager
    def admitted(self, n: int, seconds: float) -> Iterator[Calls]:
        """Let something in that takes n places and no more than some seconds; gives what calls functions.

        Raises:
            ApiError: the server is full, or stops.
        """
        self.admission.enter(n)
        started = time.perf_counter()
        try:
            yield Calls(self._callers, seconds)
        finally:
            self.admission.leave(n, time.perf_counter() - started)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that takes its time in another thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def fail_all(self, error: BaseException) -> None:
        """End all answers with an error."""
        for answers in tuple(self._open):
            answers.fail(error)

    def close(self) -> None:
        """Let the threads end."""
        for threads in (self._threads, self._callers):
            threads.shutdown(wait=False, cancel_futures=True)
