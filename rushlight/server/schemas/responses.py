"""What ``/v1/responses`` takes: OpenAI's names."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, Tagged, ignored, refused
from rushlight.server.kinds import AnyOf, Boolean, Integer, ListOf, MapOf, Text
from rushlight.server.schemas.constraints import CONSTRAINTS, FLAT_TOOL_CHOICE, PARALLEL, TEXT_FORMAT
from rushlight.server.schemas.sampling import OF_OPENAI, SAMPLING, TIMEOUT, TRUNCATION

_NO_MEDIA = "this server reads text only."
_STATELESS = "nothing is stored; send the whole conversation."
_TYPE = Field("type", Text())
_ID = ignored("id", "nothing is stored")
_STATUS = ignored("status", "what is there is read")
_TEXT = Object(
    (
        _TYPE,
        Field("text", Text(), required=True),
        ignored("annotations", "models here write none"),
        ignored("logprobs", "of an earlier answer"),
    )
)
_PARTS = ListOf(
    Tagged(
        "type",
        {
            "input_text": _TEXT,
            "output_text": _TEXT,
            "refusal": Object((_TYPE, Field("refusal", Text(), required=True))),
        },
        refused=dict.fromkeys(("input_image", "input_file", "input_audio"), _NO_MEDIA),
    )
)
_CONTENT = AnyOf((Text(), _PARTS), "a string or a list of parts")
_MESSAGE = Object(
    (
        _TYPE,
        Field("role", Text(("user", "assistant", "system", "developer")), required=True),
        Field("content", _CONTENT, required=True),
        _ID,
        _STATUS,
        ignored("phase", "a hint"),
    )
)
_CALL = Object(
    (
        _TYPE,
        Field("call_id", Text(), required=True),
        Field("name", Text(shortest=1), required=True),
        Field("arguments", Text(), required=True),
        _ID,
        _STATUS,
        ignored("caller", "only a model calls"),
        ignored("namespace", "of tools that the server would call"),
        ignored("async", "of tools that the server would call"),
    )
)
_OUTPUT = Object(
    (
        _TYPE,
        Field("call_id", Text(), required=True),
        Field("output", _CONTENT, "what the tool gave back", required=True),
        _ID,
        _STATUS,
    )
)
_THOUGHT = ListOf(Object((_TYPE, Field("text", Text(), required=True))))
_REASONING = Object(
    (
        _TYPE,
        Field("content", _THOUGHT, "what the model thought"),
        Field("summary", _THOUGHT, "read where there is no content"),
        ignored("encrypted_content", "nobody here can read it"),
        _ID,
        _STATUS,
    )
)
_ITEMS = ListOf(
    Tagged(
        "type",
        {
            "message": _MESSAGE,
            "function_call": _CALL,
            "function_call_output": _OUTPUT,
            "reasoning": _REASONING,
        },
        refused={"item_reference": _STATELESS},
        default="message",
    ),
    shortest=1,
)
_TOOL = Object(
    (
        _TYPE,
        Field("name", Text(shortest=1), required=True),
        Field("description", Text()),
        Field("parameters", MapOf(), "the JSON schema of the arguments"),
        ignored("strict", "meant where tool_choice demands a call, and only there"),
    )
)
_NO_TOOL = "functions are the only tools here."
_REFUSED_TOOLS = dict.fromkeys(
    (
        "web_search",
        "web_search_preview",
        "file_search",
        "code_interpreter",
        "mcp",
        "image_generation",
        "custom",
    ),
    _NO_TOOL,
)

RESPONSES = Object(
    (
        Field("model", Text(), "a name of the served model (default: it)"),
        Field(
            "input", AnyOf((Text(), _ITEMS), "a string or a list of items"), "what was said", required=True
        ),
        Field("instructions", Text(), "a system message before the input"),
        Field("max_output_tokens", Integer(1), "most tokens of the answer (default: no limit)"),
        Field("stream", Boolean(), "send the answer as it comes, as server-sent events"),
        Field(
            "stream_options",
            Object((ignored("include_obfuscation", "events are not padded"),)),
            "has no effect",
        ),
        *SAMPLING,
        Field("top_logprobs", Integer(0, 100), "log probabilities of this many likeliest tokens"),
        Field(
            "include",
            ListOf(Text(("message.output_text.logprobs", "reasoning.encrypted_content"))),
            "log probabilities of the tokens; thoughts are never encrypted",
        ),
        Field(
            "tools",
            ListOf(Tagged("type", {"function": _TOOL}, refused=_REFUSED_TOOLS), longest=256),
            "functions that the model may call",
        ),
        FLAT_TOOL_CHOICE,
        PARALLEL,
        *CONSTRAINTS,
        Field(
            "text",
            Object(
                (
                    Field("format", TEXT_FORMAT, "what the answer has to match"),
                    ignored("verbosity", "no model here reads it"),
                )
            ),
            "format: what the answer has to match: text, json_object or json_schema",
        ),
        Field(
            "reasoning",
            Object(
                (
                    Field("effort", Text(), "given to the chat template as reasoning_effort"),
                    ignored("summary", "thoughts are told as they are"),
                    ignored("generate_summary", "thoughts are told as they are"),
                )
            ),
            "effort: given to the chat template as reasoning_effort",
        ),
        TRUNCATION,
        Field("chat_template_kwargs", MapOf(), "extension: what else the chat template reads"),
        TIMEOUT,
        *OF_OPENAI,
        ignored("max_tool_calls", "of tools that the server would call"),
        refused("previous_response_id", _STATELESS),
        refused("conversation", _STATELESS),
        refused("prompt", "no prompts are stored."),
        refused("context_management", "send the conversation that the model should see."),
        refused("moderation", "nothing is judged."),
        Field("background", Boolean(), "only false: nothing is stored to be fetched later"),
    ),
    "ResponsesRequest",
)
