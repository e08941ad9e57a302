"""How well a model foresees a text: its perplexity, as llama.cpp's llama-perplexity defines it.

The text's tokens are cut into chunks of `n_ctx`; what is left over is not used. Each chunk is computed by
itself, its first token replaced by the begin-of-sequence token where the model wants one, and each token of
its second half, but for the half's first, is scored: there is always half a chunk to foresee it from. The
perplexity is the exponential of the mean of minus the natural log probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rushlight.errors import InvalidParameter
from rushlight.sampling import token_logprobs

if TYPE_CHECKING:
    from rushlight.llm import LLM
    from rushlight.progress import Progress

DEFAULT_CTX = 512
LEAST_CTX = 8
LEAST_CHUNKS = 2


@dataclass(frozen=True)
class Perplexity:
    """A perplexity and how sure it is.

    Attributes:
        value: the perplexity.
        error: its standard error.
        n_ctx: tokens of a chunk.
        n_chunks: chunks computed.
        n_scored: tokens scored.
    """

    value: float
    error: float
    n_ctx: int
    n_chunks: int
    n_scored: int


def perplexity(
    llm: LLM,
    text: str,
    n_ctx: int = DEFAULT_CTX,
    *,
    n_chunks: int | None = None,
    progress: Progress | None = None,
) -> Perplexity:
    """The perplexity of a model on a text.

    Args:
        llm: the model, loaded for a context of at least `n_ctx`.
        text: at least two chunks long; special tokens are not looked for in it.
        n_ctx: tokens of a chunk; logits of a whole chunk are held in memory, 4 bytes x `n_ctx` x vocabulary.
        n_chunks: most chunks to compute; None: all.
        progress: told of every chunk.

    Raises:
        InvalidParameter: a text that is too short, a chunk that the context does not hold, or too few chunks.
    """
    if not LEAST_CTX <= n_ctx <= llm.n_ctx:
        raise InvalidParameter(
            f"n_ctx is {n_ctx}; it must be from {LEAST_CTX} to the context that the model is loaded for, "
            f"{llm.n_ctx}."
        )
    if n_chunks is not None and n_chunks < 1:
        raise InvalidParameter(f"n_chunks is {n_chunks}; it must be at least 1.")
    ids = llm.tokenize(text, parse_special=False)
    if len(ids) < LEAST_CHUNKS * n_ctx:
        raise InvalidParameter(
            f"The text has {len(ids)} tokens; it takes {LEAST_CHUNKS * n_ctx} at least, {LEAST_CHUNKS} "
            f"chunks of {n_ctx}. Take a longer text or a smaller n_ctx."
        )
    total = min(len(ids) // n_ctx, n_chunks or len(ids))
    scores: list[float] = []
    for i in range(total):
        if progress:
            progress("Scoring", i, total)
        scores += _scores(llm, ids[i * n_ctx : (i + 1) * n_ctx])
    if progress:
        progress("Scoring", total, total)
    return _summary(scores, n_ctx, total)


def _scores(llm: LLM, chunk: list[int]) -> Iterator[float]:
    """Minus the log probabilities of the tokens that count in a chunk."""
    first = len(chunk) // 2
    start = (
        [llm.tokenizer.bos_id] if llm.tokenizer.add_bos and llm.tokenizer.bos_id is not None else chunk[:1]
    )
    rows = llm.logits([*start, *chunk[1:-1]])[first:]
    for row, token_id in zip(rows, chunk[first + 1 :], strict=True):
        yield -token_logprobs(row, token_id, 0).logprob


def _summary(scores: list[float], n_ctx: int, n_chunks: int) -> Perplexity:
    n = len(scores)
    mean = math.fsum(scores) / n
    variance = math.fsum((score - mean) ** 2 for score in scores) / n
    value = math.exp(mean)
    return Perplexity(value, value * math.sqrt(variance / (n - 1)), n_ctx, n_chunks, n)
