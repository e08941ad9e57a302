"""StarCoder, StarCoderBase, SantaCoder, Granite Code of the first generation (GPTBigCode).

A gpt2 block (see `rushlight.models.gpt2`): an embedding of each position, layer norms with biases, a biased
feed-forward network without a gate. All query heads share one key-value head.

Source: Li et al. 2023, "StarCoder: may the source be with you!"; ``starcoder.cpp`` in llama.cpp's
``src/models``; ``modeling_gpt_bigcode.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.gpt2 import LearnedPositions
from rushlight.models.weights import Weights


class Model(LearnedPositions):
    """A model of the starcoder architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "starcoder", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx)
