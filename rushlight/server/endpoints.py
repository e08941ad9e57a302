"""The table of all endpoints: the routes, the OpenAPI description and the documentation are made of it."""

from __future__ import annotations

from rushlight.server.chat_completions import chat_completions
from rushlight.server.completions import completions
from rushlight.server.embeddings import embeddings
from rushlight.server.endpoint import Endpoint
from rushlight.server.messages import count_tokens, messages
from rushlight.server.models import get_model, health, list_models, metrics, ready
from rushlight.server.rerank import rerank
from rushlight.server.responses import responses
from rushlight.server.schemas.anthropic import COUNT_TOKENS, MESSAGES
from rushlight.server.schemas.chat import CHAT
from rushlight.server.schemas.completions import COMPLETION
from rushlight.server.schemas.embeddings import EMBEDDINGS
from rushlight.server.schemas.rerank import RERANK
from rushlight.server.schemas.responses import RESPONSES
from rushlight.server.schemas.tokens import DETOKENIZE, TOKENIZE
from rushlight.server.tokens import detokenize, tokenize, tokenizer_info

ENDPOINTS = (
    Endpoint("POST", "/v1/chat/completions", chat_completions, "Answer a conversation.", CHAT),
    Endpoint("POST", "/v1/completions", completions, "Continue prompts, or score them.", COMPLETION),
    Endpoint("POST", "/v1/responses", responses, "Answer a conversation, stateless.", RESPONSES),
    Endpoint("POST", "/v1/messages", messages, "Answer a conversation, as Anthropic's API.", MESSAGES),
    Endpoint("POST", "/v1/messages/count_tokens", count_tokens, "The tokens of one.", COUNT_TOKENS),
    Endpoint("POST", "/v1/embeddings", embeddings, "Texts as vectors.", EMBEDDINGS),
    Endpoint("POST", "/v1/rerank", rerank, "Documents by how well they answer a query.", RERANK),
    Endpoint("POST", "/tokenize", tokenize, "The tokens of a text or a conversation.", TOKENIZE),
    Endpoint("POST", "/detokenize", detokenize, "The text of tokens.", DETOKENIZE),
    Endpoint("GET", "/tokenizer_info", tokenizer_info, "The special tokens and the chat template."),
    Endpoint("GET", "/v1/models", list_models, "The served model."),
    Endpoint("GET", "/v1/models/{model:path}", get_model, "The served model, by name."),
    Endpoint("GET", "/health", health, "Liveness: the process answers."),
    Endpoint("GET", "/ready", ready, "Readiness: requests are taken."),
    Endpoint("GET", "/metrics", metrics, "Metrics for Prometheus.", answers="text/plain"),
)
