"""What ``/v1/rerank`` takes: the names that Jina, Cohere and llama.cpp share."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, ignored
from rushlight.server.kinds import AnyOf, Boolean, Integer, ListOf, Text
from rushlight.server.schemas.sampling import TIMEOUT

_DOCUMENT = AnyOf(
    (Text(), Object((Field("text", Text(), required=True),))), "a string or an object with text"
)

RERANK = Object(
    (
        Field("model", Text(), "a name of the served model (default: it)"),
        Field("query", Text(), "what is asked for", required=True),
        Field("documents", ListOf(_DOCUMENT, shortest=1), "what is ranked", required=True),
        Field("top_n", Integer(1), "tell this many, the best (default: all)"),
        Field("return_documents", Boolean(), "tell the documents, too"),
        TIMEOUT,
        ignored("user", "who asks makes no difference"),
    ),
    "RerankRequest",
)
