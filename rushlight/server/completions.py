"""``/v1/completions``: texts that go on, and the log probabilities of texts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.completion import Chunk, Completion
from rushlight.server.answers import Answers, Job
from rushlight.server.endpoint import told
from rushlight.server.errors import bad_field
from rushlight.server.respond import json_response
from rushlight.server.sampling import check_choices, params_of
from rushlight.server.service import Service
from rushlight.server.shapes import new_id, timings_json, total_usage, usage_json
from rushlight.server.sse import DONE, EventStream, event, until_disconnect
from rushlight.server.text_logprobs import TextLogprobs, prompt_logprobs
from rushlight.server.text_prompts import text_prompts

_DEFAULT_TOKENS = 16  # OpenAI's


@dataclass(frozen=True)
class _Asked:
    """What was asked for.

    Attributes:
        prompts: token ids of each.
        echoes: the text of each as it stands before the answers; empty where it does not.
        n: choices of each.
        n_dropped: tokens that were cut off, of all prompts together.
    """

    body: dict[str, Any]
    model: str
    prompts: list[list[int]]
    echoes: list[str]
    n: int
    n_dropped: int

    def usage(self, completions: list[Completion]) -> dict[str, Any]:
        usage = total_usage([completion.usage for completion in completions], len(self.prompts))
        return usage_json(usage, self.n_dropped)


async def completions(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """Continue prompts."""
    model = service.model_name(body.get("model"))
    stream = bool(body.get("stream"))
    if body.get("best_of", body.get("n", 1)) != body.get("n", 1):
        raise bad_field("best_of", f"best_of is {body['best_of']}; only as many as n are supported.")
    if stream and body.get("echo") and "logprobs" in body:
        raise bad_field("stream", "echo with logprobs is known at the end only; ask without stream.")
    asked = await service.client.run(_asked, service, model, body)
    job = _job(service, asked)
    if not stream:
        found = await until_disconnect(request.receive, service.client.complete(job))
        service.note(request, found)
        return json_response(_whole(service, asked, found))
    answers = await service.client.start(job)
    events = _events(service, request, asked, answers)
    return EventStream(events, lambda: service.client.end(answers))


def _asked(service: Service, model: str, body: dict[str, Any]) -> _Asked:
    """Tokenize the prompts, and cut off what the client lets be cut off."""
    llm, keep = service.llm, body.get("truncate_prompt_tokens")
    if keep == -1:
        keep = llm.n_ctx - max(1, body.get("max_tokens", _DEFAULT_TOKENS))
    prompts = text_prompts(service, body["prompt"], keep)
    echoes = [""] * len(prompts.ids)
    if body.get("echo"):
        echoes = [
            given if isinstance(given, str) and not prompts.n_dropped else llm.detokenize(ids)
            for given, ids in zip(prompts.given, prompts.ids, strict=True)
        ]
    n = check_choices(body.get("n", 1), service.options.max_choices)
    return _Asked(body, model, prompts.ids, echoes, n, prompts.n_dropped)


def _job(service: Service, asked: _Asked) -> Job:
    body = asked.body
    logprobs = body.get("logprobs")
    service.check_sizes(body)
    params = params_of(body, asked.n, max_tokens=body.get("max_tokens", _DEFAULT_TOKENS), logprobs=logprobs)
    of_prompt = [
        n for n in (body.get("prompt_logprobs"), logprobs if body.get("echo") else None) if n is not None
    ]
    if of_prompt:
        params = [replace(each, prompt_logprobs=max(of_prompt)) for each in params]
    return Job(
        prompts=[ids for ids in asked.prompts for _ in range(asked.n)],
        params=params * len(asked.prompts),
        response_format=body.get("response_format"),
        end_only=not body.get("stream"),
        seconds=service.seconds(body.get("timeout")),
    )


def _whole(service: Service, asked: _Asked, found: list[Completion]) -> dict[str, Any]:
    return {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": service.fingerprint,
        "choices": [_choice(service, asked, i, completion) for i, completion in enumerate(found)],
        "usage": asked.usage(found),
        "timings": timings_json(found[0].timings),
    }


def _choice(service: Service, asked: _Asked, i: int, completion: Completion) -> dict[str, Any]:
    echo, body = asked.echoes[i // asked.n], asked.body
    choice = {
        "index": i,
        "text": echo + completion.text,
        "logprobs": None,
        "finish_reason": completion.finish_reason,
        "seed": completion.seed,
    }
    if completion.logprobs is not None:
        ids, entries = list(completion.token_ids), list[Any](completion.logprobs)
        if body.get("echo"):
            ids, entries = (
                [*asked.prompts[i // asked.n], *ids],
                [*(completion.prompt_logprobs or []), *entries],
            )
            entries = [entry and _likeliest(entry, body["logprobs"]) for entry in entries]
        choice["logprobs"] = TextLogprobs(service.llm.tokenizer).lists(ids, entries)
    if completion.prompt_logprobs is not None and "prompt_logprobs" in body:
        choice["prompt_logprobs"] = prompt_logprobs(completion.prompt_logprobs, service.llm.tokenizer)
    return choice


async def _events(
    service: Service, request: Request, asked: _Asked, answers: Answers
) -> AsyncIterator[bytes]:
    """The events of the answers, and the end or an error."""
    with_usage = bool(asked.body.get("stream_options", {}).get("include_usage"))
    head = {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": service.fingerprint,
    }
    usage: dict[str, Any] = {"usage": None} if with_usage else {}
    writers = [TextLogprobs(service.llm.tokenizer) for _ in answers.job.prompts]
    done: dict[int, Completion] = {}
    try:
        for i in range(len(answers.job.prompts)):
            if echo := asked.echoes[i // asked.n]:
                yield event({**head, "choices": [_piece(i, echo)], **usage})
        async for i, item in answers:
            if isinstance(item, Completion):
                done[i] = item
                choice = {**_piece(i, ""), "finish_reason": item.finish_reason, "seed": item.seed}
                if item.prompt_logprobs is not None:
                    choice["prompt_logprobs"] = prompt_logprobs(item.prompt_logprobs, service.llm.tokenizer)
            elif not (item.text or item.logprobs):
                continue
            else:
                choice = _piece(i, item.text, _chunk_logprobs(writers[i], item))
            yield event({**head, "choices": [choice], **usage})
        found = [done[i] for i in sorted(done)]
        service.note(request, found)
        if with_usage:
            yield event({**head, "choices": [], "usage": asked.usage(found)})
        yield DONE
    except Exception as error:
        yield event(told(error, request).openai())


def _piece(i: int, text: str, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"index": i, "text": text, "logprobs": logprobs, "finish_reason": None}


def _chunk_logprobs(writer: TextLogprobs, chunk: Chunk) -> dict[str, Any] | None:
    return None if chunk.logprobs is None else writer.lists(chunk.token_ids, chunk.logprobs)


def _likeliest(entry: Any, n: int) -> Any:
    """The entry with its n likeliest tokens only."""
    return entry._replace(top=entry.top[:n])
