"""What ``/v1/completions`` takes."""

from __future__ import annotations

from rushlight.server.fields import Field, Object, refused
from rushlight.server.kinds import AnyOf, Boolean, Integer, ListOf, Text
from rushlight.server.schemas.chat import STREAM_OPTIONS
from rushlight.server.schemas.constraints import CONSTRAINTS, RESPONSE_FORMAT
from rushlight.server.schemas.sampling import OF_OPENAI, SAMPLING, TIMEOUT

IDS = ListOf(Integer(0), shortest=1)
PROMPT = AnyOf(
    (Text(), IDS, ListOf(Text(), shortest=1), ListOf(IDS, shortest=1)),
    "a string, a list of strings, a list of token ids or a list of such lists",
)
TRUNCATE = Field(
    "truncate_prompt_tokens",
    Integer(-1),
    "extension: keep the last so many tokens of each prompt, -1 as many as fit the context; the usage tells "
    "how many were dropped",
)

COMPLETION = Object(
    (
        Field("model", Text(), "a name of the served model (default: it)"),
        Field("prompt", PROMPT, "what is continued", required=True),
        Field("stream", Boolean(), "send the answer as it comes, as server-sent events"),
        Field("stream_options", STREAM_OPTIONS, "include_usage: tell the usage at the end of a stream"),
        Field(
            "max_tokens", Integer(0), "most tokens of an answer (default: 16); 0 with echo scores a prompt"
        ),
        Field("n", Integer(1), "how many answers for each prompt (default: 1)"),
        Field("best_of", Integer(1), "only as many as n: all are told"),
        Field("echo", Boolean(), "put the prompt before the answer, its log probabilities too"),
        Field("logprobs", Integer(0, 100), "log probabilities of the tokens and of this many likeliest ones"),
        Field("prompt_logprobs", Integer(0, 100), "extension: the same for the prompt, in vLLM's shape"),
        *SAMPLING,
        RESPONSE_FORMAT,
        *CONSTRAINTS,
        TRUNCATE,
        TIMEOUT,
        *OF_OPENAI,
        refused("suffix", "models here write what follows, not what stands between."),
    ),
    "CompletionRequest",
)
