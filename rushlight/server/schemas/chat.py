"""What ``/v1/chat/completions`` takes."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, ignored, refused
from rushlight.server.kinds import Boolean, Integer, ListOf, MapOf, Text
from rushlight.server.schemas.constraints import CONSTRAINTS, PARALLEL, RESPONSE_FORMAT, TOOL, TOOL_CHOICE
from rushlight.server.schemas.messages import MESSAGES
from rushlight.server.schemas.sampling import OF_OPENAI, SAMPLING, TIMEOUT, TRUNCATION

STREAM_OPTIONS = Object(
    (
        Field("include_usage", Boolean(), "tell the usage in a chunk before the end"),
        ignored("include_obfuscation", "chunks are not padded"),
    )
)
CHAT = Object(
    (
        Field("model", Text(), "a name of the served model (default: it)"),
        Field("messages", MESSAGES, "the conversation", required=True),
        Field("stream", Boolean(), "send the answer as it comes, as server-sent events"),
        Field("stream_options", STREAM_OPTIONS, "include_usage: tell the usage at the end of a stream"),
        Field("max_completion_tokens", Integer(1), "most tokens of an answer (default: no limit)"),
        Field("max_tokens", Integer(1), "the same; the other one counts where both are given"),
        Field("n", Integer(1), "how many answers (default: 1)"),
        Field("logprobs", Boolean(), "tell the log probabilities of the tokens"),
        Field("top_logprobs", Integer(0, 100), "and those of this many likeliest tokens at each place"),
        *SAMPLING,
        Field("tools", ListOf(TOOL, longest=256), "functions that the model may call"),
        TOOL_CHOICE,
        PARALLEL,
        RESPONSE_FORMAT,
        *CONSTRAINTS,
        Field("reasoning_effort", Text(), "given to the chat template under this name"),
        Field("chat_template_kwargs", MapOf(), "extension: what else the chat template reads"),
        TRUNCATION,
        TIMEOUT,
        *OF_OPENAI,
        ignored("prediction", "a hint that makes other servers faster"),
        ignored("verbosity", "no model here reads it"),
        refused("functions", "use tools."),
        refused("function_call", "use tool_choice."),
        Field("modalities", ListOf(Text(("text",))), "only text is written"),
        refused("audio", "only text is written."),
        refused("web_search_options", "nothing is searched for."),
        refused("moderation", "nothing is judged."),
    ),
    "ChatCompletionRequest",
)
