"""``/v1/rerank``: documents by how well they answer a query."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rushlight.backends.base import Float32Array
from rushlight.errors import InvalidParameter
from rushlight.server.respond import json_response
from rushlight.server.service import Service
from rushlight.server.sse import until_disconnect


async def rerank(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The documents of a request, the best first; of equal ones the earlier."""
    model = service.model_name(body.get("model"))
    documents = [each if isinstance(each, str) else each["text"] for each in body["documents"]]
    if len(documents) > service.options.max_inputs:
        raise InvalidParameter(
            f"There are {len(documents)} documents; this server takes at most {service.options.max_inputs}."
        )
    scores, n_tokens = await until_disconnect(request.receive, _scores(service, body, documents))
    order = np.argsort(-scores, kind="stable")[: body.get("top_n")]
    with_text = body.get("return_documents", False)
    return json_response(
        {
            "object": "list",
            "model": model,
            "results": [
                {
                    "index": int(i),
                    "relevance_score": float(scores[i]),
                    **({"document": {"text": documents[i]}} if with_text else {}),
                }
                for i in order
            ],
            "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens},
        }
    )


async def _scores(service: Service, body: dict[str, Any], documents: list[str]) -> tuple[Float32Array, int]:
    """All scores, a few documents at a time, and how many tokens were read."""
    llm, query, step = service.llm, body["query"], service.llm.options.n_sequences
    with service.client.admitted(len(documents), service.seconds(body.get("timeout"))) as call:
        parts = [documents[i : i + step] for i in range(0, len(documents), step)]
        scores = [await call(llm.rerank, query, part) for part in parts]

        def count() -> int:
            return sum(len(llm.tokenize_pair(query, document)) for document in documents)

        return np.concatenate(scores), await call(count)
