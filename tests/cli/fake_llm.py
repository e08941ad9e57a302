"""A model that says what it is told to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

DIGEST = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True)
class Timings:
    prompt_tokens: int = 7
    prompt_seconds: float = 0.5
    completion_tokens: int = 3
    completion_seconds: float = 0.25
    time_to_first_token: float = 0.5


@dataclass(frozen=True)
class Chunk:
    text: str
    token_ids: tuple[int, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    seed: int | None = None
    timings: Timings | None = None
    digest: str | None = None
    reasoning: str = ""


@dataclass
class Script:
    """What the fake model does: `pieces` are the text of each answer; an exception among them is raised.

    `thoughts` come before them.
    """

    pieces: Sequence[str | BaseException] = ("Ice", " and", " sticks")
    load_error: BaseException | None = None
    loaded: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[Any, Any]] = field(default_factory=list)
    no_template: bool = False
    thoughts: Sequence[str] = ()

    def model(self) -> type:
        script = self

        class FakeLLM:
            n_ctx = 8192
            backend = "cpu"
            config = SimpleNamespace(n_ctx_train=8192)

            def __init__(self, reference: str, **options: Any) -> None:
                script.loaded.append({"reference": reference, **options})
                if script.load_error is not None:
                    raise script.load_error

            @property
            def chat_template(self) -> SimpleNamespace:
                return SimpleNamespace(is_fallback=script.no_template)

            def __enter__(self) -> FakeLLM:
                return self

            def __exit__(self, *exception: object) -> None:
                script.loaded[-1]["closed"] = True

            def stream(self, prompt: Any, params: Any) -> Iterator[Chunk]:
                script.asked.append((prompt, params))
                for thought in script.thoughts:
                    yield Chunk("", (0,), reasoning=thought)
                for i, piece in enumerate(script.pieces):
                    if isinstance(piece, BaseException):
                        raise piece
                    yield Chunk(piece, (i,))
                seed = 4242 if params.seed is None else params.seed
                yield Chunk("", (), "stop", Usage(7, len(script.pieces)), seed, Timings(), DIGEST)

        return FakeLLM
