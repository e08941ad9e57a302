"""Models whose tokens see what comes after them: they read whole texts and write none."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight.backends.base import Ops, Tensor
from rushlight.models.config import Config
from rushlight.models.decoder import Decoder
from rushlight.models.pooling import Pooling
from rushlight.models.weights import Weights


class Encoder(Decoder):
    """Base of these models: one row for each output token, pooled over its text, or its own hidden state.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        windows: width of each layer's window, half of it to each side, 0 for none; None: no layer has one.
    """

    def __init__(
        self, config: Config, weights: Weights, n_ctx: int | None, windows: Sequence[int] | None = None
    ) -> None:
        super().__init__(config, weights, n_ctx, [0] * config.n_layer if windows is None else windows)
        self._pooling = config.cls_pooling if config.pooling is Pooling.RANK else config.pooling

    def needed(self, ops: Ops, x: Tensor) -> Tensor:
        """The rows that are wanted behind the last layer's attention: a mean needs all of them."""
        if self._pooling is Pooling.MEAN:
            return x
        return ops.sequence_first(x) if self._pooling is Pooling.CLS else ops.outputs(x)

    def result(self, ops: Ops, x: Tensor) -> Tensor:
        """The embedding, the scores, or without pooling the hidden states."""
        return self.output(ops, ops.sequence_mean(x) if self._pooling is Pooling.MEAN else x)
