"""What ``/tokenize`` and ``/detokenize`` take: llama.cpp's and vLLM's names."""

from __future__ import annotations

from rushlight.server.fields import Field, Object
from rushlight.server.kinds import Boolean, Integer, ListOf, MapOf, Text
from rushlight.server.schemas.constraints import TOOL
from rushlight.server.schemas.messages import MESSAGES

MODEL = Field("model", Text(), "a name of the served model (default: it)")

TOKENIZE = Object(
    (
        MODEL,
        Field("content", Text(), "a text; special tokens are added only if add_special says so"),
        Field("prompt", Text(), "a text, with special tokens as for a completion"),
        Field("messages", MESSAGES, "a conversation, written out by the chat template"),
        Field("tools", ListOf(TOOL), "of the conversation"),
        Field("add_generation_prompt", Boolean(), "of the conversation (default: true)"),
        Field("chat_template_kwargs", MapOf(), "of the conversation"),
        Field("add_special", Boolean(), "add BOS and EOS as the model wants"),
        Field("add_special_tokens", Boolean(), "the same"),
        Field("parse_special", Boolean(), "read the texts of special tokens as such (default: true)"),
        Field("with_pieces", Boolean(), "tell the text of each token"),
        Field("return_token_strs", Boolean(), "the same, in a list of its own"),
    ),
    "TokenizeRequest",
)
DETOKENIZE = Object(
    (
        MODEL,
        Field("tokens", ListOf(Integer(0)), "token ids", required=True),
    ),
    "DetokenizeRequest",
)
