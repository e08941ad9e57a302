"""The table of all endpoints: the routes, the OpenAPI description and the documentation are made of it."""

from __future__ import annotations

from rushlight.server.chat_completions import chat_completions
from rushlight.server.endpoint import Endpoint
from rushlight.server.models import get_model, health, list_models, ready
from rushlight.server.schemas.chat import CHAT

ENDPOINTS = (
    Endpoint("POST", "/v1/chat/completions", chat_completions, "Answer a conversation.", CHAT),
    Endpoint("GET", "/v1/models", list_models, "The served model."),
    Endpoint("GET", "/v1/models/{model:path}", get_model, "The served model, by name."),
    Endpoint("GET", "/health", health, "Liveness: the process answers."),
    Endpoint("GET", "/ready", ready, "Readiness: requests are taken."),
)
