"""What is left out of a conversation that is too long, where the client says so: its oldest turns.

A turn begins with a user's message and holds all that follows it, so that no result of a tool loses its call.
Messages before the first turn, such as the system's, and the last turn always stay.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from rushlight.prompts import Message, encode_rendered, is_messages
from rushlight.server.answers import Job
from rushlight.server.service import Service

_SHARE_OF_ANSWER = 4


class Fitted(NamedTuple):
    """A conversation that fits.

    Attributes:
        job: with what is left of the conversation.
        n_dropped: tokens that were left out.
    """

    job: Job
    n_dropped: int = 0


async def fit(service: Service, job: Job, truncation: str | None) -> Fitted:
    """Leave the oldest turns out of a job's conversation, as few as need be, where `truncation` is "auto".

    Room is kept for as many tokens as the answer may have, but at most half of the context; where that is
    not said, for a quarter of it.
    """
    if truncation != "auto":
        return Fitted(job)
    return await service.client.run(_fit, service, job)


def _fit(service: Service, job: Job) -> Fitted:
    messages = job.prompts[0]
    if not is_messages(messages):
        return Fitted(job)
    starts = [i for i, message in enumerate(messages) if message["role"] == "user"]
    n_ctx, asked = service.llm.n_ctx, job.params[0].max_tokens
    room = n_ctx - min(asked or n_ctx // _SHARE_OF_ANSWER, n_ctx // 2)

    def left(n_turns: int) -> list[Message]:
        """The messages without the first turns."""
        return messages[: starts[0]] + messages[starts[n_turns] :]

    def n_tokens(n_turns: int) -> int:
        tools = None if job.tool_choice == "none" else job.tools
        text = service.llm.apply_chat_template(left(n_turns), tools, True, job.chat_template_kwargs)
        return len(encode_rendered(service.llm.tokenizer, text))

    if not starts or (whole := n_tokens(0)) <= room:
        return Fitted(job)
    most = len(starts) - 1
    n_turns = bisect_left(range(most), True, key=lambda n: n_tokens(n) <= room)
    return Fitted(job.with_prompt(left(n_turns)), whole - n_tokens(n_turns))
