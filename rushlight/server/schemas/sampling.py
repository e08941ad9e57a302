"""Fields of sampling, which all endpoints that write share."""

from __future__ import annotations

from rushlight.params import MAX_BIAS, MAX_SEED
from rushlight.server.fields import Field, ignored
from rushlight.server.kinds import AnyOf, Boolean, Integer, ListOf, MapOf, Number, Text

STOP = AnyOf((Text(shortest=1), ListOf(Text(shortest=1), longest=64)), "a string or a list of strings")

SAMPLING = (
    Field("temperature", Number(0), "divides the logits; 0 takes the likeliest token (default: 1)"),
    Field("top_p", Number(0, 1), "keep the likeliest tokens up to this probability (default: 1, all)"),
    Field("top_k", Integer(-1), "extension: keep the k likeliest tokens; 0 or -1 keeps all (default: 0)"),
    Field("min_p", Number(0, 1), "extension: keep tokens at least this likely relative to the likeliest"),
    Field(
        "repeat_penalty", Number(1e-3, 1e3), "extension: divides the logits of tokens of the answer; 1 is off"
    ),
    Field("repeat_last_n", Integer(-1), "extension: how far repeat_penalty looks back (default: 64)"),
    Field(
        "presence_penalty", Number(-MAX_BIAS, MAX_BIAS), "taken from the logit of every token of the answer"
    ),
    Field("frequency_penalty", Number(-MAX_BIAS, MAX_BIAS), "taken once for every time that a token came"),
    Field(
        "logit_bias",
        MapOf(Number(-MAX_BIAS, MAX_BIAS), longest=1024),
        "added to logits, by token id; at most 1024",
    ),
    Field(
        "seed",
        Integer(0, MAX_SEED),
        "of the random numbers: the same gives the same words, whatever else runs; choice i uses seed + i",
    ),
    Field("stop", STOP, "texts that end the answer and are no part of it"),
    Field("ignore_eos", Boolean(), "extension: go on when the model ends its answer"),
)

TIMEOUT = Field("timeout", Number(1e-3), "extension: most seconds for the whole answer, at most the server's")

TRUNCATION = Field(
    "truncation",
    Text(("auto", "disabled")),
    "auto: leave out the oldest turns of a conversation that is too long; the usage tells how many tokens "
    "that was (default: disabled, it is an error)",
)

OF_OPENAI = (
    ignored("user", "who asks makes no difference"),
    ignored("safety_identifier", "who asks makes no difference"),
    ignored("store", "nothing is stored"),
    ignored("metadata", "nothing is stored"),
    ignored("service_tier", "there is one"),
    ignored("prompt_cache_key", "all prompts share one cache"),
    ignored("prompt_cache_retention", "all prompts share one cache"),
    ignored("prompt_cache_options", "all prompts share one cache"),
)
"""Fields that OpenAI's clients send and that cannot change an answer here."""
