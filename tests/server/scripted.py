"""A real model and a real server, whose answers are written by the test: what tools and thinkers say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from running import RunningServer

from rushlight.sampling import Sampled, token_logprobs
from rushlight.text import ChatTemplate

TEMPLATES = Path(__file__).parents[1] / "data" / "templates"


@contextmanager
def scripted(server: RunningServer, text: str | None, template: str = "qwen3") -> Iterator[list[str]]:
    """Let the model write a text (None: what it likes) under another template; gives the prompts.

    It must not be asked anything else meanwhile.
    """
    tokenizer = server.llm.tokenizer
    end = min(tokenizer.eog_ids)
    script = [*tokenizer.encode(text or "", False, False), end]
    source = ChatTemplate((TEMPLATES / f"{template}.jinja").read_text(encoding="utf-8"), {"bos_token": ""})
    conversation = server.llm.conversation
    prompts: list[str] = []
    render = type(conversation).render

    def rendered(self: Any, *arguments: Any) -> str:
        prompts.append(render(self, *arguments))
        return prompts[-1]

    def sample(logits: Any, params: Any, generated: Any, *rest: Any, **more: Any) -> Sampled:
        token = script[len(generated)]
        if params.logprobs is None:
            return Sampled(token)
        return Sampled(token, token_logprobs(logits, token, params.logprobs))

    with pytest.MonkeyPatch.context() as patch:
        if text is not None:
            patch.setattr("rushlight.engine.generation.sample", sample)
            patch.setattr("rushlight.engine.stride.Stride.n_steps", lambda *_: 1)
        patch.setattr(type(conversation), "render", rendered)
        for name in ("template", "tool_template"):
            patch.setitem(vars(conversation), name, source)
        yield prompts
