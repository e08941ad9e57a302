"""RWKV-6 "Finch".

No attention: each layer is a layer norm (``attn_norm``) and a time mix, then a layer norm (``attn_norm_2``)
and a channel mix. Both mix a token's input with that of the token before it.

- The time mix has a state for each head, of ``wkv.head_size`` rows and columns (see
  `rushlight.models.rwkv6_time_mix`).
- The channel mix is ``sigmoid(receptance(x_r)) * value(max(key(x_k), 0)^2)``.
- A layer norm follows the embedding (``token_embd_norm``).
- Every ``rescale_every_n_layers`` layers what is given on is halved, as the file's weights expect.
- The vocabulary is usually RWKV's own (``tokenizer.ggml.model = "rwkv"``).

Source: Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence";
``rwkv6.cpp`` and ``rwkv6-base.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import LayerNorm
from rushlight.models.rwkv import MixedBlock, Rwkv, lerp, read_rwkv
from rushlight.models.rwkv6_time_mix import Rwkv6TimeMix, read_ranks
from rushlight.models.weights import Weights


class ChannelMix:
    """The weights of one layer's channel mix."""

    def __init__(self, weights: Weights, config: Config, layer: int) -> None:
        n, n_ff, name = config.n_embd, config.n_ff, f"blk.{layer}.channel_mix"
        (self._lerp_k,), (self._lerp_r,) = (
            weights.vectors(f"{name}_lerp_{part}.weight", 1, n) for part in "kr"
        )
        self._key, self._value = (
            weights.linear(f"{name}_key", n_ff, n),
            weights.linear(f"{name}_value", n, n_ff),
        )
        self._receptance = weights.linear(f"{name}_receptance", n, n)

    def __call__(self, ops: Ops, x: Tensor, shift: Tensor) -> Tensor:
        """Its output."""
        gate = ops.sigmoid(self._receptance(ops, lerp(ops, x, shift, self._lerp_r)))
        key = ops.relu_squared(self._key(ops, lerp(ops, x, shift, self._lerp_k)))
        return ops.multiply(gate, self._value(ops, key))


class Model(Rwkv):
    """A model of the rwkv6 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, heads = read_rwkv(accounts, "rwkv6", "attention.layer_norm_epsilon", n_shift=2)
        ranks, weights = read_ranks(accounts), Weights(accounts, backend)
        rescale_every = accounts.get_int("rescale_every_n_layers", 0, min=0)
        super().__init__(config, weights, n_ctx, heads, rescale_every)
        self.blocks = [
            MixedBlock(
                LayerNorm(weights, f"blk.{i}.attn_norm", config.n_embd, config.norm_eps),
                Rwkv6TimeMix(weights, config, heads, ranks, f"blk.{i}.time_mix"),
                LayerNorm(weights, f"blk.{i}.attn_norm_2", config.n_embd, config.norm_eps),
                ChannelMix(weights, config, i),
            )
            for i in range(config.n_layer)
        ]
