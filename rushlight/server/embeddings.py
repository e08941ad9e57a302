"""``/v1/embeddings``: texts as vectors."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rushlight.backends.base import Float32Array
from rushlight.errors import InvalidParameter
from rushlight.server.respond import json_response
from rushlight.server.service import Service
from rushlight.server.sse import until_disconnect
from rushlight.server.text_prompts import TextPrompts, text_prompts


async def embeddings(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The embeddings of texts."""
    model = service.model_name(body.get("model"))
    prompts = await service.client.run(_prompts, service, body)
    rows = await until_disconnect(request.receive, _embed(service, body, prompts))
    if (wanted := body.get("dimensions", rows.shape[1])) != rows.shape[1]:
        raise InvalidParameter(
            f"dimensions is {wanted}, but the model's embeddings have {rows.shape[1]}; leave it out."
        )
    n_tokens = sum(map(len, prompts.ids))
    dropped = {"truncated_tokens": prompts.n_dropped} if prompts.n_dropped else {}
    return json_response(
        {
            "object": "list",
            "model": model,
            "data": [
                {"object": "embedding", "index": i, "embedding": _encoded(row, body.get("encoding_format"))}
                for i, row in enumerate(rows)
            ],
            "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens, **dropped},
        }
    )


def _prompts(service: Service, body: dict[str, Any]) -> TextPrompts:
    keep = body.get("truncate_prompt_tokens")
    return text_prompts(service, body["input"], service.llm.n_ctx if keep == -1 else keep)


async def _embed(service: Service, body: dict[str, Any], prompts: TextPrompts) -> Float32Array:
    """All rows, a few texts at a time, so that what nobody waits for any more is not computed."""
    seconds, step = service.seconds(body.get("timeout")), service.llm.options.n_sequences
    with service.client.admitted(len(prompts.ids), seconds) as call:
        rows = [
            await call(service.llm.embed, prompts.ids[i : i + step]) for i in range(0, len(prompts.ids), step)
        ]
    return np.concatenate(rows)


def _encoded(row: Float32Array, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")
    return [float(value) for value in row]
