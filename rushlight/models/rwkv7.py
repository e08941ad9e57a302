"""RWKV-7 "Goose".

No attention: each layer is a layer norm (``attn_norm``) and a time mix, then a layer norm (``attn_norm_2``)
and a channel mix. Both mix a token's input with that of the token before it.

- The time mix has a state for each head, of ``wkv.head_size`` rows and columns (see
  `rushlight.models.rwkv7_time_mix`). The values of the first layer take part in all others.
- The channel mix is ``value(max(key(x + (x of the token before - x) * lerp_k), 0)^2)``.
- A layer norm follows the embedding (``token_embd_norm``).
- The first layer's ``time_mix_v0``, ``v1`` and ``v2`` are there for llama.cpp alone and are not read.
- The vocabulary is usually RWKV's own (``tokenizer.ggml.model = "rwkv"``).

Source: Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution"; ``rwkv7.cpp`` and
``rwkv7-base.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import LayerNorm
from rushlight.models.rwkv import MixedBlock, Rwkv, lerp, read_rwkv
from rushlight.models.rwkv7_time_mix import Rwkv7TimeMix, read_ranks
from rushlight.models.weights import Weights


class ChannelMix:
    """The weights of one layer's channel mix."""

    def __init__(self, weights: Weights, config: Config, layer: int) -> None:
        n, n_ff, name = config.n_embd, config.n_ff, f"blk.{layer}.channel_mix"
        (self._lerp_k,) = weights.vectors(f"{name}_lerp_k.weight", 1, n)
        self._key, self._value = (
            weights.linear(f"{name}_key", n_ff, n),
            weights.linear(f"{name}_value", n, n_ff),
        )

    def __call__(self, ops: Ops, x: Tensor, shift: Tensor) -> Tensor:
        """Its output."""
        return self._value(ops, ops.relu_squared(self._key(ops, lerp(ops, x, shift, self._lerp_k))))


class Model(Rwkv):
    """A model of the rwkv7 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, heads = read_rwkv(accounts, "rwkv7", "attention.layer_norm_epsilon", n_shift=2)
        ranks, weights = read_ranks(accounts, gated=True), Weights(accounts, backend)
        accounts.ignore_tensor("blk.0.time_mix_v[012].weight", "the first layer's values are its own")
        super().__init__(config, weights, n_ctx, heads)
        self.blocks = [
            MixedBlock(
                LayerNorm(weights, f"blk.{i}.attn_norm", config.n_embd, config.norm_eps),
                Rwkv7TimeMix(weights, config, heads, ranks, i),
                LayerNorm(weights, f"blk.{i}.attn_norm_2", config.n_embd, config.norm_eps),
                ChannelMix(weights, config, i),
            )
            for i in range(config.n_layer)
        ]
