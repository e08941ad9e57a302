"""The requests of the load test, and what each of them gets when nothing else runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rushlight.bench.serve.api import Api
from rushlight.bench.serve.plan import Range
from rushlight.bench.serve.reply import Reply, ask
from rushlight.bench.serve.words import WORDS
from rushlight.errors import ServerFailure

Body = tuple[str, dict[str, Any]]
"""A path, and what is sent there."""

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


@dataclass(frozen=True)
class KnownRequest:
    """A request with its answer.

    Attributes:
        path: where it goes.
        body: as JSON.
        alone: what it got when nothing else ran.
    """

    path: str
    body: dict[str, Any]
    alone: Reply


def draw_bodies(n: int, seed: int, prompt: Range, answer: Range, model: str) -> list[Body]:
    """Requests of mixed lengths and settings; half of the prompts begin like another one.

    Every one has a seed of its own; a third are greedy, a third sample with all filters and penalties.
    """
    draw = random.Random(seed)
    shared = " ".join(draw.choices(WORDS, k=prompt.high // 2 or 1))
    found = []
    for i in range(n):
        words = " ".join(draw.choices(WORDS, k=draw.randint(*prompt)))
        text = f"{shared} {words}" if i % 2 else words
        path = TEXT if i % 4 == 3 else CHAT
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": draw.randint(*answer),
            "ignore_eos": i % 5 != 0,
            "seed": draw.getrandbits(32),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0 if i % 3 == 0 else draw.uniform(0.3, 1.5),
        }
        if i % 3 == 1:
            body |= {"top_p": 0.9, "top_k": 40, "min_p": 0.02, "repeat_penalty": 1.1, "presence_penalty": 0.2}
        asked = {"prompt": text} if path == TEXT else {"messages": [{"role": "user", "content": text}]}
        found.append((path, body | asked))
    return found


def ask_alone(api: Api, bodies: list[Body], told: Callable[[int], None]) -> list[KnownRequest]:
    """Ask one after the other.

    Args:
        api: of the server.
        bodies: what to ask, with the path.
        told: called with the number of answers.

    Raises:
        ServerFailure: a request fails.
    """
    known = []
    for path, body in bodies:
        reply = ask(api, path, body)
        if reply.error is not None:
            raise ServerFailure(f"A request alone failed: {reply.error}.")
        known.append(KnownRequest(path, body, reply))
        told(len(known))
    return known
