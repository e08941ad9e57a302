"""Answers on their way from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rushlight.completion import Chunk, Completion
from rushlight.params import SamplingParams
from rushlight.prompts import Message, Prompt
from rushlight.server.limits import Admission, too_late

if TYPE_CHECKING:
    from rushlight.answer import Item
    from rushlight.llm import LLM


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be written: one sequence for each pair of a prompt and its params.

    Attributes:
        prompts: texts, token ids or conversations.
        params: how to sample each.
        tools, tool_choice, parallel_tool_calls, chat_template_kwargs: of conversations, as in `LLM.chat`.
        response_format: as in `LLM.chat`.
        end_only: only the completions are wanted.
        seconds: how long it may take.
    """

    prompts: list[Prompt | list[Message]]
    params: list[SamplingParams]
    tools: list[Any] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool = True
    response_format: Mapping[str, Any] | None = None
    chat_template_kwargs: Mapping[str, Any] | None = None
    end_only: bool = False
    seconds: float

    def with_prompt(self, prompt: Prompt | list[Message]) -> Job:
        """The same job with another prompt for all of its sequences."""
        return replace(self, prompts=[prompt] * len(self.prompts))


class Answers:
    """The answers to a job, as they come: pairs of a place in the job and a chunk or a completion.

    Iterating ends when all are complete, and raises what ended one of them, or `ApiError` when the time is
    over. `close` must be called in the end; it aborts what still runs.

    Attributes:
        job: what is answered.
        prompt_tokens: how many tokens each prompt has.
    """

    def __init__(self, job: Job, admission: Admission) -> None:
        admission.enter(len(job.prompts))
        self.job = job
        self.started = time.perf_counter()
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._items: deque[tuple[int, Item]] = deque()
        self._wake = asyncio.Event()
        self._woken = False
        self.prompt_tokens: list[int] = []
        self._aborts: list[Callable[[], None]] = []
        self._n_open = len(job.prompts)
        self._closed = False
        self._timer = self._loop.call_later(job.seconds, self._time_out)

    def submit(self, llm: LLM) -> None:
        """Submit all sequences; not in the event loop, as tokenizing takes its time."""
        job = self.job
        for i, (prompt, params) in enumerate(zip(job.prompts, job.params, strict=True)):
            submission = llm.submit(
                prompt,
                params,
                deliver=partial(self._deliver, i),
                end_only=job.end_only,
                tools=job.tools,
                tool_choice=job.tool_choice,
                parallel_tool_calls=job.parallel_tool_calls,
                response_format=job.response_format,
                chat_template_kwargs=job.chat_template_kwargs,
            )
            self.prompt_tokens.append(submission.prompt_tokens)
            self._aborts.append(submission.abort)
            if self._closed:  # whoever asked went away meanwhile
                return submission.abort()

    async def __aiter__(self) -> AsyncIterator[tuple[int, Chunk | Completion]]:
        while self._n_open:
            i, item = await self._next()
            if isinstance(item, BaseException):
                raise item
            self._n_open -= isinstance(item, Completion)
            yield i, item

    async def completions(self) -> list[Completion]:
        """All completions, in the job's order. Raises what iterating raises."""
        found: dict[int, Completion] = {}
        async for i, item in self:
            if isinstance(item, Completion):
                found[i] = item
        return [found[i] for i in range(len(self.job.prompts))]

    def fail(self, error: BaseException) -> None:
        """End the answers with an error."""
        self._items.appendleft((0, error))
        self._wake.set()

    def close(self) -> None:
        """Abort what still runs, and make room for others."""
        if self._closed:
            return
        self._closed = True
        self._timer.cancel()
        for abort in tuple(self._aborts):
            abort()
        self._admission.leave(len(self.job.prompts), time.perf_counter() - self.started)

    async def _next(self) -> tuple[int, Item]:
        while not self._items:
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()

    def _time_out(self) -> None:
        self.fail(too_late(self.job.seconds))

    def _deliver(self, i: int, item: Item) -> None:
        """Take an item from the engine's thread; one wake-up of the event loop serves several."""
        self._items.append((i, item))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._on_wake)
            except RuntimeError:  # the event loop is gone, and with it whoever asked
                self._closed = True

    def _on_wake(self) -> None:
        self._woken = False
        self._wake.set()
