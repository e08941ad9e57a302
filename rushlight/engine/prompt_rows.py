"""What is wanted of the logits of a prompt: the rows themselves, or the prompt's log probabilities."""

from __future__ import annotations

import numpy as np

from rushlight.backends.base import Float32Array
from rushlight.engine.sequence import Sequence
from rushlight.row_math import Argmax, RowMath
from rushlight.sampling import token_logprobs


def read_prompt(
    sequence: Sequence, stop: int, logits: Float32Array, argmax: list[Argmax], row_math: RowMath
) -> None:
    """Take what is wanted of the rows of a prompt's tokens from `n_read` to ``stop - 1``.

    Args:
        sequence: whose `n_read` becomes `stop`; of rows for log probabilities it keeps nothing else.
        stop: at most the length of the prompt.
        logits: float32 [n, V], valid until the next step.
        argmax: that of each row.
        row_math: what computes over a row.

    Raises:
        RushlightError: a logit is NaN or infinite, and log probabilities are wanted.
    """
    if sequence.prompt_logits:
        sequence.logit_rows.append(np.array(logits, np.float32))
    if (n_top := sequence.params.prompt_logprobs) is not None:
        following = sequence.prompt_ids[sequence.n_read + 1 : stop + 1]
        for row, best, token_id in zip(logits, argmax, following, strict=False):
            sequence.prompt_logprobs.append(token_logprobs(row, token_id, n_top, best, row_math))
    sequence.n_read = stop
