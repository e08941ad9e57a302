"""Options: how to sample one sequence, and how large the engine is. Frozen, and validated once.

The names of `SamplingParams` are OpenAI's plus llama.cpp's.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

from rushlight.errors import InvalidParameter

MAX_SEED = 2**64 - 1
MAX_BIAS = 1e6
MAX_SCHEMA_CHARACTERS = 200_000
MAX_REGEX_CHARACTERS = 20_000
MAX_GRAMMAR_CHARACTERS = 100_000


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How the next token is chosen, and when a sequence ends.

    Attributes:
        max_tokens: most tokens to generate; None: until an end token, a stop string or the context's end;
            0: the prompt is computed and nothing is generated.
        temperature: divides the logits; 0 is greedy, the highest logit (of equal ones the lowest id).
        top_k: keep the k likeliest tokens; 0 keeps all.
        top_p: keep the likeliest tokens until they hold this much probability; 1 keeps all.
        min_p: keep tokens at least this likely relative to the likeliest; 0 keeps all.
        repeat_penalty: logits of tokens among the last `repeat_last_n` generated are divided by it if
            positive, multiplied by it if not; 1 is off.
        repeat_last_n: how many generated tokens `repeat_penalty` looks back on; -1: all, 0: none.
        presence_penalty: taken from the logit of every token generated so far.
        frequency_penalty: taken from a token's logit once for every time it was generated.
        seed: of the random numbers, 0 to 2**64 - 1; None draws one, which the answer reports.
        stop: strings that end the text and are no part of it; a lone string is one of them.
        logit_bias: added to the logits, by token id.
        logprobs: with each token, report its log probability and those of this many likeliest tokens.
        prompt_logprobs: the same for every token of the prompt but the first, which nothing foresees. Such a
            prompt is computed as a whole, whatever the prefix cache holds.
        ignore_eos: go on when the model ends its answer.
        json_schema: the answer is JSON that this schema allows, a mapping or JSON text.
        regex: the whole answer matches this regular expression.
        grammar: the answer is one of this grammar, in Lark's syntax as llguidance reads it, or in GBNF. At
            most one of the three is given; see docs/constraints.md.

    Raises:
        InvalidParameter: a value of the wrong type or outside its range.
        TypeError: an unknown name, as of any call.
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: Sequence[str] = ()
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    ignore_eos: bool = False
    json_schema: Mapping[str, Any] | str | None = None
    regex: str | None = None
    grammar: str | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            _check_int("max_tokens", self.max_tokens, 0)
        _check_float("temperature", self.temperature, 0.0)
        _check_int("top_k", self.top_k, 0)
        _check_float("top_p", self.top_p, 0.0, 1.0)
        _check_float("min_p", self.min_p, 0.0, 1.0)
        if self.top_p == 0:
            raise InvalidParameter("top_p is 0; it must be greater, up to 1, which keeps every token.")
        _check_float("repeat_penalty", self.repeat_penalty, 1e-3, 1e3)
        _check_int("repeat_last_n", self.repeat_last_n, -1)
        _check_float("presence_penalty", self.presence_penalty, -MAX_BIAS, MAX_BIAS)
        _check_float("frequency_penalty", self.frequency_penalty, -MAX_BIAS, MAX_BIAS)
        if self.seed is not None:
            _check_int("seed", self.seed, 0, MAX_SEED)
        object.__setattr__(self, "stop", _stop_strings(self.stop))
        object.__setattr__(self, "logit_bias", _logit_bias(self.logit_bias))
        if self.logprobs is not None:
            _check_int("logprobs", self.logprobs, 0, 100)
        if self.prompt_logprobs is not None:
            _check_int("prompt_logprobs", self.prompt_logprobs, 0, 100)
        _check_bool("ignore_eos", self.ignore_eos)
        _check_constraints(self.json_schema, self.regex, self.grammar)

    def suppressing(self, token_ids: Collection[int]) -> SamplingParams:
        """These parameters, with which none of some tokens is chosen."""
        if not token_ids:
            return self
        return replace(self, logit_bias={**self.logit_bias, **dict.fromkeys(token_ids, -MAX_BIAS)})


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """The sizes of the engine, fixed when a model is loaded.

    Attributes:
        n_batch_tokens: most tokens computed in one step; longer prompts are computed in chunks. A model that
            reads whole texts at once, such as BERT, computes as many as its context holds, if that is more.
        n_sequences: most sequences that run at once; more wait.
        kv_tokens: positions that the KV cache holds over all sequences; None: one context, and as many more
            (up to `n_sequences` of them) as 1 GiB holds.
        kv_bytes: most memory that the cache takes, states of recurrent layers included; the positions that it
            holds follow from it. Given instead of `kv_tokens`.
        n_waiting: most sequences that are accepted beyond `n_sequences`; None: any number. One too many is
            refused with `QueueFull`.
        step_seconds: about how long a step may take that several sequences share, so that none of them stands
            still for longer; prompts are cut accordingly. A larger one favours the total over each of them.
        prefix_cache: keep the KV blocks of finished sequences for prompts that begin the same way.
        cache_dir: a directory where blocks of prompts are kept between runs too; None: they are not.
        cache_bytes: most bytes of the files in it; those that were not used for longest are deleted.

    Raises:
        InvalidParameter: a value of the wrong type or outside its range.
    """

    n_batch_tokens: int = 512
    n_sequences: int = 8
    kv_tokens: int | None = None
    kv_bytes: int | None = None
    n_waiting: int | None = None
    step_seconds: float = 0.25
    prefix_cache: bool = True
    cache_dir: str | os.PathLike[str] | None = None
    cache_bytes: int = 4 << 30

    def __post_init__(self) -> None:
        _check_int("n_sequences", self.n_sequences, 1)
        _check_int("n_batch_tokens", self.n_batch_tokens, 1)
        if self.n_batch_tokens < self.n_sequences:
            raise InvalidParameter(
                f"n_batch_tokens is {self.n_batch_tokens}, less than n_sequences ({self.n_sequences}); "
                "a step must hold one token of every sequence."
            )
        for name, low in (("kv_tokens", 1), ("kv_bytes", 1), ("n_waiting", 0)):
            if (value := getattr(self, name)) is not None:
                _check_int(name, value, low)
        if self.kv_tokens is not None and self.kv_bytes is not None:
            raise InvalidParameter(
                "kv_tokens and kv_bytes are both given; one of them sets the cache's size."
            )
        _check_float("step_seconds", self.step_seconds, 1e-3, 1e6)
        _check_bool("prefix_cache", self.prefix_cache)
        if self.cache_dir is not None and not (
            isinstance(self.cache_dir, str | os.PathLike) and self.cache_dir
        ):
            raise InvalidParameter(f"cache_dir is {self.cache_dir!r}; it must be a directory's path.")
        if self.cache_dir is not None and not self.prefix_cache:
            raise InvalidParameter("cache_dir is given, but prefix_cache is False; it must be True for that.")
        _check_int("cache_bytes", self.cache_bytes, 1)


def _check_int(name: str, value: object, low: int, high: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InvalidParameter(f"{name} is {value!r}; it must be an integer.")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise InvalidParameter(f"{name} is {number}; it must be {_range(low, high)}.")


def _check_float(name: str, value: object, low: float | None = None, high: float | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
        raise InvalidParameter(f"{name} is {value!r}; it must be a finite number.")
    number = float(value)
    if (low is not None and number < low) or (high is not None and number > high):
        raise InvalidParameter(f"{name} is {number:g}; it must be {_range(low, high)}.")


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidParameter(f"{name} is {value!r}; it must be True or False.")


def _range(low: float | None, high: float | None) -> str:
    return f"at least {low}" if high is None else f"from {low} to {high}"


def _stop_strings(stop: Any) -> tuple[str, ...]:
    strings: tuple[object, ...] = (stop,)
    if isinstance(stop, Iterable) and not isinstance(stop, str):
        strings = tuple(stop)
    if not all(isinstance(s, str) and s for s in strings):
        raise InvalidParameter(f"stop is {stop!r}; it must be a string or several, none of them empty.")
    return tuple(str(s) for s in strings)


def _logit_bias(bias: Any) -> Mapping[int, float]:
    if not isinstance(bias, Mapping):
        raise InvalidParameter(f"logit_bias is {bias!r}; it must map token ids to numbers.")
    for token_id, value in bias.items():
        _check_int("a token id of logit_bias", token_id, 0)
        _check_float(f"logit_bias of token {token_id}", value, -MAX_BIAS, MAX_BIAS)
    return dict(bias)


def _check_constraints(schema: Any, regex: Any, grammar: Any) -> None:
    fields = {"json_schema": schema, "regex": regex, "grammar": grammar}
    given = {name: value for name, value in fields.items() if value is not None}
    if len(given) > 1:
        raise InvalidParameter(f"{' and '.join(given)} are given; at most one can constrain an answer.")
    _check_text("regex", regex, MAX_REGEX_CHARACTERS)
    _check_text("grammar", grammar, MAX_GRAMMAR_CHARACTERS)
    if schema is None:
        return
    import json

    try:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        _check_text("json_schema", text, MAX_SCHEMA_CHARACTERS)
        if isinstance(json.loads(text), dict):
            return
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidParameter):
            raise
    raise InvalidParameter("json_schema is no JSON object; a schema is one, as a mapping or as JSON text.")


def _check_text(name: str, value: object, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidParameter(f"{name} is {value!r:.60}; it must be a text.")
    if len(value) > most:
        raise InvalidParameter(f"{name} has {len(value):,} characters; at most {most:,} are taken.")
