"""What every model is made of beside its blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from rushlight.backends.base import Model, Ops, Positions, RopeTable, Tensor, Weight
from rushlight.backends.cache import AttentionCache, CacheLayout, RecurrentCache
from rushlight.errors import InvalidParameter
from rushlight.models.config import Config
from rushlight.models.linear import Linear, NoHead
from rushlight.models.pooling import Pooling
from rushlight.models.rank_head import RankHead
from rushlight.models.rope import RopeFactors, rope_table
from rushlight.models.weights import Weights

Head = Linear | NoHead | RankHead
"""What follows the last norm."""


class CausalModel(Model, Protocol):
    """A model as `rushlight.models.load_model` gives it."""

    config: Config
    arch: str
    n_ctx: int
    softmax_scores: bool


MAX_CTX = 1 << 22  # positions: a RoPE table of this length still fits the memory of a small machine


class Decoder:
    """Base of the models: embedding, output head, cache layout and sizes.

    Args:
        config: hyper-parameters.
        weights: the file's tensors.
        n_ctx: positions to load for; None: as many as the model was trained for.
        windows: what each layer that keeps anything keeps: the width of its sliding window, 0 for none, or
            the cache of a recurrent layer. In a model that is not causal, half of a window lies behind.
        layer_configs: heads of each of these layers; None: all have those of `config`.
        chunked: windows are chunks, as `AttentionCache` has them.

    Attributes:
        config: hyper-parameters.
        arch: ``general.architecture``.
        n_vocab, n_embd, n_ctx_train: sizes of the model.
        n_ctx: positions that a sequence may have.
        cache: what the layers keep.
        token_embd: table [V, E].
        output: head [V, E]; none in a model for embeddings, and the other one in a reranker.
        softmax_scores: a reranker's score is its share of the softmax over all that its head gives.

    Raises:
        InvalidParameter: `n_ctx` is no number of positions that can be loaded.
    """

    softmax_scores = False

    def __init__(
        self,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        windows: Sequence[int | RecurrentCache],
        layer_configs: Sequence[Config] | None = None,
        chunked: bool = False,
    ) -> None:
        self.n_ctx = config.n_ctx_train if n_ctx is None else n_ctx
        if not 1 <= self.n_ctx <= MAX_CTX:
            raise InvalidParameter(f"n_ctx is {self.n_ctx}; load the model with 1 to {MAX_CTX} positions.")
        self.config = config
        self.arch = config.arch
        self.n_embd = config.n_embd
        self.n_ctx_train = config.n_ctx_train
        self.token_embd, self.n_vocab = weights.embedding(config.n_embd)
        self.output = self.head(weights)
        specs = (
            window
            if isinstance(window, RecurrentCache)
            else _attention_cache(own, window, self.n_ctx, chunked)
            for own, window in zip(layer_configs or [config] * len(windows), windows, strict=True)
        )
        self.cache = CacheLayout.of(tuple(specs))

    def head(self, weights: Weights) -> Head:
        """What makes logits, embeddings or scores of the last hidden states."""
        if self.config.writes:
            return weights.output(self.n_vocab, self.config.n_embd)
        no_head = weights.no_head()
        return RankHead(weights, self.config) if self.config.pooling is Pooling.RANK else no_head

    def attend(
        self,
        ops: Ops,
        qkv: tuple[Tensor, ...],
        layer: int,
        rope: RopeTable | None,
        scale: float | None = None,
        softcap: float = 0.0,
        slopes: Weight | None = None,
        sinks: Weight | None = None,
        config: Config | None = None,
        chosen: Positions | None = None,
    ) -> Tensor:
        """Turn queries [T, H * D] and keys [T, KH * D] by RoPE, if a table is given, and attend: [T, H * Dv].

        Args:
            ops: of the step.
            qkv: queries, keys and values.
            layer: whose cache keeps keys and values.
            rope: angles; None: the layer knows no positions.
            scale: of the scores; None: ``1 / sqrt(D)``.
            softcap: of the scores; 0: none.
            slopes: of ALiBi; None: there is none.
            sinks: as `Ops.attention` takes them.
            config: of the layer's heads; None: those of the model.
            chosen: as `Ops.attention` takes them.
        """
        q, k, v = qkv
        config = config or self.config
        if rope is not None:
            q = ops.rope(q, rope, config.n_head)
            k = ops.rope(k, rope, config.n_head_kv)
        if scale is None:
            scale = 1 / math.sqrt(config.n_embd_head_k)
        return ops.attention(q, k, v, layer, scale, softcap, sinks, slopes=slopes, chosen=chosen)

    def rope_table(
        self, interleaved: bool, factors: RopeFactors | None = None, freq_base: float | None = None
    ) -> RopeTable:
        """The RoPE angles of `config`, or of another base, for positions 0 to ``n_ctx - 1``."""
        config = self.config
        base = config.rope_freq_base if freq_base is None else freq_base
        return rope_table(self.n_ctx, config.n_rot, base, interleaved, config.rope_scaling, factors)


def _attention_cache(config: Config, window: int, n_ctx: int, chunked: bool) -> AttentionCache:
    """The cache of a layer with a window or chunks, 0 for none.

    A window that no sequence outgrows is none: its layer then shares blocks with those that have none.
    """
    ahead = 0
    if not config.causal:
        ahead = window // 2 if window else n_ctx
        window = ahead + 1
    heads = config.n_head_kv, config.n_embd_head_k, config.n_embd_head_v
    window = window if window < n_ctx else 0
    return AttentionCache(*heads, window, chunked=chunked and window > 0, ahead=ahead)
