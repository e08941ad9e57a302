"""What ``/v1/embeddings`` takes."""

from __future__ import annotations

from rushlight.server.fields import Field, Object
from rushlight.server.kinds import Integer, Text
from rushlight.server.schemas.completions import PROMPT, TRUNCATE
from rushlight.server.schemas.sampling import OF_OPENAI, TIMEOUT

EMBEDDINGS = Object(
    (
        Field("model", Text(), "a name of the served model (default: it)"),
        Field("input", PROMPT, "texts, or token ids", required=True),
        Field("encoding_format", Text(("float", "base64")), "numbers, or the bytes of little-endian float32"),
        Field("dimensions", Integer(1), "only as many as the model's embeddings have"),
        TRUNCATE,
        TIMEOUT,
        *OF_OPENAI,
    ),
    "EmbeddingsRequest",
)
