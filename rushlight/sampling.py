"""Logits to a token: the order of the steps is fixed, and the result is bit-identical on every processor.

1. The constraint mask: tokens that the sequence's constraint does not allow are left out. What follows sees
   only the others, in order of their ids.
2. `logit_bias` is added.
3. `repeat_penalty`, over the last `repeat_last_n` generated tokens (not the prompt's), each token once:
   positive logits are divided by it, others multiplied. Source: CTRL (Keskar et al. 2019), as in candle.
4. `frequency_penalty` times the token's count, plus `presence_penalty`, are subtracted, over all generated
   tokens. Source: OpenAI's API reference.
5. `temperature`: 0 takes the highest logit, of equal ones the lowest id; else the logits are divided by it.
6. `top_k`, of equal logits the lowest ids.
7. `top_p`: the likeliest tokens, up to and with the one that reaches it (Holtzman et al. 2019).
8. `min_p`: tokens at least `min_p` times as likely as the likeliest (Nguyen et al. 2024).
9. One token is drawn by inverting the cumulative distribution of what is left, in order of the ids; of more
   than 512 tokens, in order of (place modulo 512, place), a place being that among what is left.

Each of 6 to 8 sees the probabilities renormalized over what the step before it left. The random number of a
token depends only on the seed and on how many tokens were generated before it, so a sequence can be stopped,
resumed, preempted or batched without changing a word.

Steps 5 to 9 are those of `rushlight.drawing`.

Log probabilities are those of the logits as the model gave them, before step 1 (as OpenAI reports them).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rushlight.drawing import MOST_OF_TOP, Draw, IdArray, choose, highest, uniforms
from rushlight.errors import RushlightError
from rushlight.params import MAX_SEED, SamplingParams
from rushlight.portable_math import (
    Float32Array,
    log,
    total_of_columns,
)
from rushlight.row_math import NUMPY_ROWS, Argmax, RowMath

_LARGEST = np.float32(2.0**128 - 2.0**104)


class TokenLogprobs(NamedTuple):
    """The log probability of a chosen token, and of the likeliest ones.

    Attributes:
        token_id: the chosen token.
        logprob: its natural log probability.
        top: (token id, log probability) of the likeliest tokens, highest first, of equal ones the lowest id.
    """

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...]


class Sampled(NamedTuple):
    """A chosen token, and its log probabilities where they were asked for."""

    token_id: int
    logprobs: TokenLogprobs | None = None


def sample(
    logits: Float32Array,
    params: SamplingParams,
    generated: Sequence[int],
    seed: int,
    argmax: Argmax | None = None,
    row_math: RowMath = NUMPY_ROWS,
    allowed: IdArray | None = None,
) -> Sampled:
    """Choose the token that follows.

    Args:
        logits: float32 [V], left unchanged.
        params: how to choose; its `seed` is not looked at. The ids of its `logit_bias` are below V.
        generated: the tokens generated so far, without the prompt.
        seed: of the random numbers, 0 to 2**64 - 1.
        argmax: that of the logits, where it is known.
        row_math: what computes over the whole vocabulary; the result does not depend on it.
        allowed: the ids that the constraint allows, ascending and at least one; None: all.

    Raises:
        RushlightError: a logit is NaN or infinite.
    """
    argmax = argmax or row_math.argmax(logits)
    if argmax.place < 0:
        raise not_finite(logits)
    changed = _penalized(logits, params, generated)
    if allowed is not None:
        changed = (logits if changed is None else changed)[allowed]
    if changed is None:
        token_id = choose(logits, argmax, draw_of(params, seed, len(generated)), 0, row_math)
    else:
        if (best := row_math.argmax(changed)).place < 0:
            np.clip(changed, -_LARGEST, _LARGEST, out=changed)
            best = row_math.argmax(changed)
        token_id = choose(changed, best, draw_of(params, seed, len(generated)), 0, row_math)
        token_id = token_id if allowed is None else int(allowed[token_id])
    if params.logprobs is None:
        return Sampled(token_id)
    return Sampled(token_id, token_logprobs(logits, token_id, params.logprobs, argmax, row_math))


def is_plain(params: SamplingParams) -> bool:
    """Whether `sample` does steps 5 to 9 alone, in a way that `Executor.decode` knows, and tells no more."""
    changes = params.logit_bias or _repeats(params) or _counts(params)
    cuts = params.top_p < 1 or params.min_p > 0
    sorts_few = cuts <= params.top_k <= MOST_OF_TOP
    return params.logprobs is None and not changes and (params.temperature == 0 or sorts_few)


def draw_of(params: SamplingParams, seed: int, index: int, n: int = 1) -> Draw | None:
    """How the n tokens from `index` on in a generated text are drawn; None: they have the highest logits."""
    if params.temperature == 0:
        return None
    numbers = uniforms(seed, index, n)
    return Draw(params.temperature, numbers, params.top_k, params.top_p, params.min_p)


def draw_seed() -> int:
    """A seed that nobody can foresee."""
    return int.from_bytes(os.urandom(MAX_SEED.bit_length() // 8), "little")


def token_logprobs(
    logits: Float32Array,
    token_id: int,
    n_top: int,
    argmax: Argmax | None = None,
    row_math: RowMath = NUMPY_ROWS,
) -> TokenLogprobs:
    """The log probabilities of `token_id` and of the `n_top` likeliest tokens; `logits` is [V].

    Raises:
        RushlightError: a logit is NaN or infinite.
    """
    place, peak = argmax or row_math.argmax(logits)
    if place < 0:
        raise not_finite(logits)
    log_total = log(total_of_columns(row_math.exp_column_sums(logits, peak, 1.0)))
    top = highest(logits, n_top, row_math)
    return TokenLogprobs(
        token_id,
        float(logits[token_id]) - peak - log_total,
        tuple((int(i), float(logits[i]) - peak - log_total) for i in top),
    )


def not_finite(logits: Float32Array) -> RushlightError:
    """What to raise where a logit is NaN or infinite."""
    first = int(np.flatnonzero(~np.isfinite(logits))[0])
    return RushlightError(
        f"The model's logit of token {first} is {logits[first]}; it has no probability. The file may be "
        "damaged, or its values too large for the cache's type: try kv_dtype='f32'."
    )


def _repeats(params: SamplingParams) -> bool:
    """Whether step 3 changes anything."""
    return params.repeat_penalty != 1.0 and params.repeat_last_n != 0


def _counts(params: SamplingParams) -> bool:
    """Whether step 4 changes anything."""
    return bool(params.presence_penalty or params.frequency_penalty)


def _penalized(logits: Float32Array, params: SamplingParams, generated: Sequence[int]) -> Float32Array | None:
    """Steps 2 to 4, on a copy, which may overflow; None where they change nothing."""
    repeats, counts = _repeats(params), _counts(params)
    if not (params.logit_bias or (generated and (repeats or counts))):
        return None
    logits = logits.copy()
    with np.errstate(over="ignore"):
        for token_id, bias in params.logit_bias.items():
            logits[token_id] += np.float32(bias)
        if generated and repeats:
            last = generated if params.repeat_last_n < 0 else generated[-params.repeat_last_n :]
            ids = np.array(list(set(last)), np.intp)
            values, penalty = logits[ids], np.float32(params.repeat_penalty)
            logits[ids] = np.where(values > 0, values / penalty, values * penalty)
        if generated and counts:
            ids, n = np.unique(np.array(generated, np.intp), return_counts=True)
            penalties = n * params.frequency_penalty + params.presence_penalty
            logits[ids] -= penalties.astype(np.float32)
    return logits
