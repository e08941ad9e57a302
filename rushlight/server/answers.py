"""Answers on their way from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
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

    Of several sequences with one prompt the first goes ahead: the others are submitted when its prompt is
    computed, and find it in the prefix cache.

    Attributes:
        job: what is answered.
        prompt_tokens: how many tokens the prompt of each submitted sequence has.
    """

    def __init__(self, job: Job, llm: LLM, admission: Admission, threads: Executor) -> None:
        admission.enter(len(job.prompts))
        self.job = job
        self.started = time.perf_counter()
        self._llm = llm
        self._admission = admission
        self._threads = threads
        self._followers: dict[int, list[int]] = {}
        self._loop = asyncio.get_running_loop()
        self._items: deque[tuple[int, Item]] = deque()
        self._wake = asyncio.Event()
        self._woken = False
        self.prompt_tokens: list[int] = []
        self._aborts: list[Callable[[], None]] = []
        self._n_open = len(job.prompts)
        self._closed = False
        self._timer = self._loop.call_later(job.seconds, self._time_out)

    async def start(self) -> None:
        """Submit the sequences, those that follow others aside.

        Raises:
            TemplateError, InvalidParameter, ContextOverflow, QueueFull: as `LLM.submit`.
        """
        prompts, leader = self.job.prompts, 0
        for i in range(1, len(prompts)):
            if prompts[i] is not prompts[leader] or not self._llm.options.prefix_cache:
                leader = i
            else:
                self._followers.setdefault(leader, []).append(i)
        late = {i for followers in self._followers.values() for i in followers}
        await self._submit([i for i in range(len(prompts)) if i not in late])

    async def _submit(self, places: list[int]) -> None:
        """Submit some sequences; not in the event loop, as tokenizing takes its time."""
        await self._loop.run_in_executor(self._threads, self._submit_now, places)

    def _submit_now(self, places: list[int]) -> None:
        job = self.job
        for i in places:
            submission = self._llm.submit(
                job.prompts[i],
                job.params[i],
                deliver=partial(self._deliver, i),
                end_only=job.end_only and i not in self._followers,
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
            if followers := self._followers.pop(i, None):
                await self._submit(followers)
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
