"""What ``/v1/messages`` and ``/v1/messages/count_tokens`` take: Anthropic's names."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, Tagged, ignored, refused
from rushlight.server.kinds import AnyOf, Boolean, Integer, ListOf, MapOf, Text
from rushlight.server.schemas.constraints import CONSTRAINTS
from rushlight.server.schemas.sampling import SAMPLING, TIMEOUT

_NO_MEDIA = "this server reads text only."
_CACHE = ignored("cache_control", "all prompts share one cache")
_TYPE = Field("type", Text())
_TEXT = Object(
    (
        _TYPE,
        Field("text", Text(), required=True),
        _CACHE,
        ignored("citations", "models here cite nothing"),
    )
)
_REFUSED = dict.fromkeys(("image", "document", "search_result", "container_upload"), _NO_MEDIA)
_TEXTS = ListOf(Tagged("type", {"text": _TEXT}, refused=_REFUSED))
TEXT_OR_TEXTS = AnyOf((Text(), _TEXTS), "a string or a list of text blocks")

_TOOL_RESULT = Object(
    (
        _TYPE,
        Field("tool_use_id", Text(), "which call it answers", required=True),
        Field("content", TEXT_OR_TEXTS, "what the tool gave back"),
        ignored("is_error", "the content tells"),
        _CACHE,
    )
)
_TOOL_USE = Object(
    (
        _TYPE,
        Field("id", Text(), required=True),
        Field("name", Text(shortest=1), required=True),
        Field("input", MapOf(), required=True),
        ignored("caller", "only a model calls"),
        _CACHE,
    )
)
_THINKING = Object(
    (
        _TYPE,
        Field("thinking", Text(), required=True),
        ignored("signature", "nothing is signed"),
    )
)
_REDACTED = Object((_TYPE, ignored("data", "nobody here can read it")))
_ROLE = Field("role", Text())


def _content(blocks: dict[str, Object]) -> AnyOf:
    kinds = ListOf(Tagged("type", blocks, refused=_REFUSED))
    return AnyOf((Text(), kinds), "a string or a list of blocks")


_USER = Object(
    (_ROLE, Field("content", _content({"text": _TEXT, "tool_result": _TOOL_RESULT}), required=True))
)
_ASSISTANT = Object(
    (
        _ROLE,
        Field(
            "content",
            _content(
                {
                    "text": _TEXT,
                    "tool_use": _TOOL_USE,
                    "thinking": _THINKING,
                    "redacted_thinking": _REDACTED,
                }
            ),
            required=True,
        ),
    )
)
_TOOL = Object(
    (
        _TYPE,
        Field("name", Text(shortest=1), required=True),
        Field("description", Text()),
        Field("input_schema", MapOf(), "the JSON schema of the arguments", required=True),
        ignored("strict", "meant where tool_choice demands a call, and only there"),
        ignored("eager_input_streaming", "arguments are streamed as they come"),
        _CACHE,
    )
)
_PARALLEL = Field("disable_parallel_tool_use", Boolean(), "at most one call")
_CHOICE = Tagged(
    "type",
    {
        "auto": Object((_TYPE, _PARALLEL)),
        "any": Object((_TYPE, _PARALLEL)),
        "none": Object((_TYPE,)),
        "tool": Object((_TYPE, Field("name", Text(shortest=1), required=True), _PARALLEL)),
    },
)
_DISPLAY = ignored("display", "thoughts are told as they are")
_THINKING_CONFIG = Tagged(
    "type",
    {
        "enabled": Object(
            (_TYPE, ignored("budget_tokens", "the model thinks as long as it likes"), _DISPLAY)
        ),
        "adaptive": Object((_TYPE, _DISPLAY)),
        "disabled": Object((_TYPE,)),
    },
)

_OUTPUT = Object(
    (
        Field("effort", Text(), "given to the chat template as reasoning_effort"),
        Field(
            "format",
            Object(
                (
                    Field("type", Text(("json_schema",)), required=True),
                    Field("schema", MapOf(), required=True),
                )
            ),
        ),
    )
)

_CONVERSATION = (
    Field("model", Text(), "a name of the served model (default: it)"),
    Field(
        "messages",
        ListOf(Tagged("role", {"user": _USER, "assistant": _ASSISTANT}), shortest=1),
        "the conversation; the last one is the user's",
        required=True,
    ),
    Field("system", TEXT_OR_TEXTS, "the system message"),
    Field(
        "tools",
        ListOf(Tagged("type", {"custom": _TOOL}, default="custom"), longest=256),
        "functions that the model may call",
    ),
    Field("tool_choice", _CHOICE, "whether the model may or must call tools"),
    Field("thinking", _THINKING_CONFIG, "given to the chat template as enable_thinking"),
    Field("output_config", _OUTPUT, "how much to think, and what the answer has to match"),
    Field("chat_template_kwargs", MapOf(), "extension: what else the chat template reads"),
    ignored("cache_control", "all prompts share one cache"),
)

MESSAGES = Object(
    (
        *_CONVERSATION,
        Field("max_tokens", Integer(1), "most tokens of the answer", required=True),
        Field("stop_sequences", ListOf(Text(shortest=1), longest=64), "texts that end the answer"),
        Field("stream", Boolean(), "send the answer as it comes, as server-sent events"),
        *(field for field in SAMPLING if field.name != "stop"),
        *CONSTRAINTS,
        TIMEOUT,
        ignored("metadata", "nothing is stored"),
        ignored("service_tier", "there is one"),
        ignored("speed", "there is one"),
        ignored("inference_geo", "it runs where it runs"),
        refused("container", "no code is run."),
        refused("mcp_servers", "the server calls no others."),
        refused("context_management", "send the conversation that the model should see."),
    ),
    "MessagesRequest",
)
COUNT_TOKENS = Object(_CONVERSATION, "CountTokensRequest")
