"""Fields that say what an answer has to match, and which tools it may call."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, Tagged, ignored
from rushlight.server.kinds import AnyOf, Boolean, ListOf, MapOf, Text

_TYPE = Field("type", Text())
_NAMED = (
    ignored("name", "only a label"),
    ignored("description", "only a label"),
    ignored("strict", "always meant"),
)
_SCHEMA = AnyOf((MapOf(), Text()), "a JSON schema")
_TEXT = Object((_TYPE,))

RESPONSE_FORMAT = Field(
    "response_format",
    Tagged(
        "type",
        {
            "text": _TEXT,
            "json_object": _TEXT,
            "json_schema": Object(
                (
                    _TYPE,
                    Field(
                        "json_schema",
                        Object((Field("schema", MapOf(), required=True), *_NAMED)),
                        required=True,
                    ),
                )
            ),
            "regex": Object((_TYPE, Field("regex", Text(shortest=1), required=True))),
            "grammar": Object((_TYPE, Field("grammar", Text(shortest=1), required=True))),
        },
    ),
    "what the answer has to match: text, json_object, json_schema; extensions: regex, grammar (Lark or GBNF)",
)

# The Responses API has the schema beside the type.
TEXT_FORMAT = Tagged(
    "type",
    {
        "text": _TEXT,
        "json_object": _TEXT,
        "json_schema": Object((_TYPE, Field("schema", MapOf(), required=True), *_NAMED)),
    },
)

_CHOICES = ListOf(Text(shortest=1), shortest=1, longest=1024)

CONSTRAINTS = (
    Field("json_schema", _SCHEMA, "extension, of llama.cpp: the answer is JSON that this schema allows"),
    Field("grammar", Text(shortest=1), "extension, of llama.cpp: the answer is one of this grammar"),
    Field("regex", Text(shortest=1), "extension: the whole answer matches this regular expression"),
    Field(
        "structured_outputs",
        Object(
            (
                Field("json", _SCHEMA),
                Field("regex", Text(shortest=1)),
                Field("grammar", Text(shortest=1)),
                Field("choice", _CHOICES, "the answer is one of these texts"),
            )
        ),
        "extension, of vLLM: one of json, regex, grammar, choice",
    ),
    Field("guided_json", _SCHEMA, "extension, of vLLM: as json_schema"),
    Field("guided_regex", Text(shortest=1), "extension, of vLLM: as regex"),
    Field("guided_grammar", Text(shortest=1), "extension, of vLLM: as grammar"),
    Field("guided_choice", _CHOICES, "extension, of vLLM: the answer is one of these texts"),
)

TOOL = Object(
    (
        Field("type", Text(("function",)), required=True),
        Field(
            "function",
            Object(
                (
                    Field("name", Text(shortest=1), required=True),
                    Field("description", Text()),
                    Field("parameters", MapOf(), "the JSON schema of the arguments"),
                    ignored("strict", "meant where tool_choice demands a call, and only there"),
                )
            ),
            required=True,
        ),
    )
)

_NAME = Field("name", Text(shortest=1), required=True)
_FUNCTION_TYPE = Field("type", Text(("function",)), required=True)
_CHOICE = Text(("auto", "none", "required"))
_EXPECTED = '"auto", "none", "required" or a function'

TOOL_CHOICE = Field(
    "tool_choice",
    AnyOf((_CHOICE, Object((_FUNCTION_TYPE, Field("function", Object((_NAME,)), required=True)))), _EXPECTED),
    "whether the model may or must call tools, and which (default: auto)",
)
# The Responses API has the name beside the type.
FLAT_TOOL_CHOICE = Field(
    "tool_choice", AnyOf((_CHOICE, Object((_FUNCTION_TYPE, _NAME))), _EXPECTED), TOOL_CHOICE.about
)
PARALLEL = Field(
    "parallel_tool_calls", Boolean(), "whether one answer may hold several calls (default: true)"
)
