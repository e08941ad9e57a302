"""Messages of a conversation, as OpenAI's API writes them."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, Tagged, ignored
from rushlight.server.kinds import AnyOf, ListOf, Text

_NO_MEDIA = "this server reads text only."
_REFUSED_PARTS = dict.fromkeys(
    ("image_url", "input_audio", "file", "image", "video_url", "audio_url"), _NO_MEDIA
)

PARTS = ListOf(
    Tagged(
        "type",
        {
            "text": Object(
                (
                    Field("type", Text()),
                    Field("text", Text(), required=True),
                    ignored("cache_control", "a hint"),
                )
            ),
            "refusal": Object((Field("type", Text()), Field("refusal", Text(), required=True))),
        },
        refused=_REFUSED_PARTS,
    )
)
CONTENT = AnyOf((Text(), PARTS), "a string or a list of parts")

_ROLE = Field("role", Text())
_NAME = Field("name", Text(), "who speaks; given to the template")

TOOL_CALL = Object(
    (
        Field("id", Text()),
        Field("type", Text(("function",))),
        Field(
            "function",
            Object(
                (Field("name", Text(shortest=1), required=True), Field("arguments", Text(), required=True)),
            ),
            required=True,
        ),
        ignored("index", "of a streamed call"),
    )
)

_ASSISTANT = Object(
    (
        _ROLE,
        _NAME,
        Field("content", CONTENT, "what it said"),
        Field("reasoning_content", Text(), "extension: what it thought"),
        Field("reasoning", Text(), "extension: the same"),
        Field("tool_calls", ListOf(TOOL_CALL), "the tools it called"),
        Field("refusal", Text(), "read as its content where that is missing"),
        ignored("annotations", "models here write none"),
        ignored("audio", "models here write none"),
    )
)
_TOOL = Object(
    (
        _ROLE,
        _NAME,
        Field("content", CONTENT, "what the tool gave back", required=True),
        Field("tool_call_id", Text(), "which call it answers"),
    )
)
_OTHER = Object((_ROLE, _NAME, Field("content", CONTENT, "what is said", required=True)))

MESSAGES = ListOf(
    Tagged(
        "role",
        {"system": _OTHER, "developer": _OTHER, "user": _OTHER, "assistant": _ASSISTANT, "tool": _TOOL},
        refused={"function": "use the role tool."},
    ),
    shortest=1,
)
