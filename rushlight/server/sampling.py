"""From the fields of a request to `SamplingParams`, one for each choice."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from rushlight.params import MAX_SEED, SamplingParams
from rushlight.server.constraints import constraint_of
from rushlight.server.errors import bad_field

_DRAWN = 2**53  # what every JSON reader holds
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "min_p",
    "repeat_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "ignore_eos",
)


def params_of(
    body: Mapping[str, Any], n: int, *, max_tokens: int | None, logprobs: int | None
) -> list[SamplingParams]:
    """The parameters of n choices; choice i has the seed plus i.

    Raises:
        InvalidParameter: a value out of range.
        ApiError: `logit_bias` has a key that is no token id, or several fields constrain the answer.
    """
    given = {name: body[name] for name in _AS_THEY_ARE if name in body} | constraint_of(body)
    seed = body["seed"] if "seed" in body else secrets.randbelow(_DRAWN)
    bias, top_k = _logit_bias(body.get("logit_bias", {})), max(0, body.get("top_k", 0))
    return [
        SamplingParams(
            max_tokens=max_tokens,
            logprobs=logprobs,
            logit_bias=bias,
            top_k=top_k,
            seed=(seed + i) % (MAX_SEED + 1),
            **given,
        )
        for i in range(n)
    ]


def check_choices(n: int, most: int) -> int:
    """How many choices are asked for.

    Raises:
        ApiError: too many.
    """
    if n > most:
        raise bad_field("n", f"n is {n}; this server gives at most {most} choices.")
    return n


def _logit_bias(bias: Mapping[str, float]) -> dict[int, float]:
    for key in bias:
        if not (key.isascii() and key.isdecimal() and len(key) < 20):
            raise bad_field(
                f"logit_bias.{key:.40}", f"logit_bias holds {key!r:.40}; token ids were expected."
            )
    return {int(key): value for key, value in bias.items()}
