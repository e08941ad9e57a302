"""The OpenAPI description, made of the same tables that check requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rushlight import __version__
from rushlight.server.endpoint import Endpoint
from rushlight.server.respond import ANTHROPIC_PATHS

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_NULLABLE_TEXT = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": _NULLABLE_TEXT,
                "code": _NULLABLE_TEXT,
            },
        }
    },
}
_ANTHROPIC_ERROR = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
        "request_id": {"type": "string"},
    },
}


def openapi(endpoints: Iterable[Endpoint], with_keys: bool) -> dict[str, Any]:
    """The description of a server.

    Args:
        endpoints: what it has.
        with_keys: whether it asks for an API key.
    """
    paths: dict[str, dict[str, Any]] = {}
    bodies: dict[str, Any] = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
        if endpoint.body is not None:
            bodies[endpoint.body.name] = endpoint.body.schema()
    keys = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rushlight", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**bodies, "Error": _ERROR, "AnthropicError": _ANTHROPIC_ERROR},
            **({"securitySchemes": keys} if with_keys else {}),
        },
        **({"security": [{"key": []}]} if with_keys else {}),
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": endpoint.about,
        "operationId": endpoint.handler.__name__,
        "responses": {"200": _success(endpoint), "default": _failure(endpoint)},
    }
    if endpoint.body is not None:
        schema = {"$ref": f"#/components/schemas/{endpoint.body.name}"}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if names := _PARAMETER.findall(endpoint.path):
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return found


def _success(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {endpoint.answers: {}}
    if endpoint.answers == "application/json":
        content[endpoint.answers]["schema"] = {"type": "object"}
    if endpoint.body is not None and any(field.name == "stream" for field in endpoint.body.fields):
        content["text/event-stream"] = {}
    return {"description": "The answer.", "content": content}


def _failure(endpoint: Endpoint) -> dict[str, Any]:
    name = "AnthropicError" if endpoint.path in ANTHROPIC_PATHS else "Error"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": "What is wrong.", "content": {"application/json": {"schema": schema}}}
