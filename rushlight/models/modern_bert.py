"""ModernBERT: GTE, Granite Embedding R2, and rerankers.

An encoder (see `rushlight.models.bert`): every token sees what comes after it too. Of its own:

- Layer norms without biases come in front of attention and of the feed-forward network, one over the
  embeddings (``token_embd_norm``) and one at the end. The first layer has no norm in front of attention.
- RoPE turns halves of a head (NeoX). With ``attention.sliding_window`` n, layers see n / 2 positions to each
  side and turn RoPE with ``rope.freq_base_swa``; the first of every ``attention.sliding_window_pattern``
  layers (3) sees all, with ``rope.freq_base``.
- ``attn_qkv`` holds queries, keys and values one below the other. The feed-forward network is GeGLU, or
  SwiGLU where ``hidden_activation`` says silu, with the gate above up in ``ffn_up``. No layer has a bias.
- A reranker's head is ``cls.output(norm(gelu(cls(x))))`` over the mean, or over the first token where
  ``classifier.pooling_type`` says so.

Source: Warner et al. 2024, "Smarter, Better, Faster, Longer" (ModernBERT); ``modern-bert.cpp`` in llama.cpp's
``src/models``; ``modeling_modernbert.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Head
from rushlight.models.encoder import Encoder
from rushlight.models.layers import FusedGeGLU, FusedSwiGLU, LayerNorm
from rushlight.models.pooling import Pooling
from rushlight.models.rank_head import RankHead
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights

_NETWORKS = {
    "gelu": FusedGeGLU,
    "geglu": FusedGeGLU,
    "silu": FusedSwiGLU,
    "swish": FusedSwiGLU,
    "swiglu": FusedSwiGLU,
}


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, layer: int, ffn: type[FusedSwiGLU]) -> None:
        name, n_embd, eps = f"blk.{layer}", config.n_embd, config.norm_eps
        has_norm = layer > 0 or weights.has(f"{name}.attn_norm.weight")
        self.attn_norm = LayerNorm(weights, f"{name}.attn_norm", n_embd, eps) if has_norm else None
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = LayerNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = ffn(weights, config, name)


class Model(Encoder):
    """A model of the modern-bert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        local_base = read_window_freq_base(accounts, 10000.0)
        activation = accounts.get_str("hidden_activation", "gelu", choices=_NETWORKS)
        config = read_config(
            accounts,
            "modern-bert",
            norm_eps="attention.layer_norm_epsilon",
            n_swa=n_swa,
            pools=True,
            ranks=True,
            causal=False,
            cls_pooling=Pooling.MEAN,
        )
        weights = Weights(accounts, backend)
        pattern = read_window_layers(accounts, config.n_layer, 3, first=True)
        self.is_local = [n_swa > 0 and local for local in pattern]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        self.embd_norm = LayerNorm(weights, "token_embd_norm", config.n_embd, config.norm_eps)
        ffn = _NETWORKS[activation]
        self.blocks = [Block(weights, config, i, ffn) for i in range(config.n_layer)]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def head(self, weights: Weights) -> Head:
        """See `Decoder.head`."""
        if self.config.pooling is Pooling.RANK:
            return RankHead(weights, self.config, gelu=True)
        return super().head(weights)

    def forward(self, ops: Ops) -> Tensor:
        """The embedding, scores or hidden states [R, n] of one step."""
        x = self.embd_norm(ops, ops.embed(self.token_embd))
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            normed = x if block.attn_norm is None else block.attn_norm(ops, x)
            attended = self.attend(ops, block.attn_qkv(ops, normed), i, rope)
            if block is self.blocks[-1]:
                x, attended = self.needed(ops, x), self.needed(ops, attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.result(ops, self.output_norm(ops, x))
