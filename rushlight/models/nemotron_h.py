"""Nemotron-H, Nemotron Nano 2: 4B to 56B.

Each layer is an RMS norm and one of three, whose result is added to the residual:

- a Mamba-2 layer (see `rushlight.models.ssm`) with the output ``ssm_out``, where the layer's entries of
  ``attention.head_count_kv`` and ``feed_forward_length`` are 0;
- attention that knows no positions, where only ``feed_forward_length`` is 0;
- a feed-forward network ``down(max(up(x), 0)^2)`` in the other layers.

Mixtures of experts are another architecture (see `rushlight.models.nemotron_h_moe`).

Source: NVIDIA 2025, "Nemotron-H: A Family of Accurate and Efficient Hybrid Mamba-Transformer Models";
``nemotron-h.cpp`` in llama.cpp's ``src/models``; ``modeling_nemotron_h.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.layers import ReluSquaredFFN
from rushlight.models.single_hybrid import SingleHybrid, read_hybrid
from rushlight.models.weights import Weights


class Model(SingleHybrid):
    """A model of the nemotron_h architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, kinds = read_hybrid(accounts, "nemotron_h")
        weights = Weights(accounts, backend)
        super().__init__(
            accounts, config, weights, n_ctx, kinds, lambda name: ReluSquaredFFN(weights, config, name)
        )
