"""``/tokenize``, ``/detokenize`` and ``/tokenizer_info``."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rushlight.llm import LLM
from rushlight.prompts import encode_rendered
from rushlight.server.conversation import template_messages
from rushlight.server.errors import ApiError
from rushlight.server.respond import json_response
from rushlight.server.service import Service
from rushlight.server.shapes import token_bytes

_SOURCES = ("content", "prompt", "messages")


async def tokenize(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The tokens of a text or a conversation."""
    service.model_name(body.get("model"))
    given = [name for name in _SOURCES if name in body]
    if len(given) != 1:
        raise ApiError(400, f"One of {', '.join(_SOURCES)} was expected; got {', '.join(given) or 'none'}.")
    ids = await service.client.run(_encode, service.llm, body)
    found: dict[str, Any] = {"tokens": ids, "count": len(ids), "max_model_len": service.llm.n_ctx}
    pieces = [token_bytes(i, service.llm.tokenizer) for i in ids]
    if body.get("with_pieces"):
        found["tokens"] = [{"id": i, "piece": _piece(piece)} for i, piece in zip(ids, pieces, strict=True)]
    if body.get("return_token_strs"):
        found["token_strs"] = [piece.decode("utf-8", "replace") for piece in pieces]
    return json_response(found)


async def detokenize(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The text of tokens."""
    service.model_name(body.get("model"))
    text = await service.client.run(service.llm.detokenize, body["tokens"])
    return json_response({"content": text, "prompt": text})


async def tokenizer_info(service: Service, request: Request, body: dict[str, Any]) -> Response:
    """The special tokens and the chat template, as vLLM tells them: what lm-eval needs of a tokenizer."""
    llm = service.llm
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    found = {name: llm.tokenizer.special_tokens.get(name) for name in names}
    return json_response({**found, "chat_template": llm.chat_template.source})


def _encode(llm: LLM, body: dict[str, Any]) -> list[int]:
    if "messages" in body:
        text = llm.apply_chat_template(
            template_messages(llm, body["messages"]),
            body.get("tools"),
            body.get("add_generation_prompt", True),
            body.get("chat_template_kwargs"),
        )
        return encode_rendered(llm.tokenizer, text)
    special = body.get("add_special", body.get("add_special_tokens", "prompt" in body))
    return llm.tokenize(body.get("prompt", body.get("content", "")), special, body.get("parse_special", True))


def _piece(piece: bytes) -> str | list[int]:
    """A token's text, or its bytes where they are no text."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)
