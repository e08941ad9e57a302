"""Gemma 2: 2B to 27B.

Beside a gemma block (see `rushlight.models.gemma`):

- Attention and feed-forward network are each followed by a second norm (``post_attention_norm``,
  ``post_ffw_norm``) before the residual is added.
- Every other layer, the first among them, sees only ``attention.sliding_window`` positions.
- Scores go through a soft cap (``attn_logit_softcapping``), and so do the logits
  (``final_logit_softcapping``).
- Scores are scaled by 1 / sqrt(key_length); the 27B model, known by its 46 layers, by
  1 / sqrt(n_embd / n_head).

Source: Gemma Team 2024, "Gemma 2: Improving Open Language Models at a Practical Size"; ``gemma2.cpp`` in
llama.cpp's ``src/models``; ``modeling_gemma2.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.layers import GeGLU, RmsNorm
from rushlight.models.weights import Weights

_LAYERS_OF_27B = 46


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = GeGLU(weights, config, name)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)


class Model(Decoder):
    """A model of the gemma2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 4096, min=1)
        self.attn_softcap = accounts.get_float("attn_logit_softcapping", 50.0, min=1e-3)
        self.final_softcap = accounts.get_float("final_logit_softcapping", 30.0, min=1e-3)
        config, weights = read_config(accounts, "gemma2", n_swa=n_swa), Weights(accounts, backend)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        self.is_local = read_window_layers(accounts, config.n_layer, period=2)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.local_rope = self.rope_table(interleaved=False)
        if local_base != config.rope_freq_base:
            self.local_rope = self.rope_table(interleaved=False, freq_base=local_base)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)
        wide = config.n_embd // config.n_head
        width = wide if config.n_layer == _LAYERS_OF_27B else config.n_embd_head_k
        self.attention_scale = 1 / math.sqrt(width)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd, math.sqrt(self.n_embd))
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            qkv = block.attn_qkv(ops, block.attn_norm(ops, x))
            attended = self.attend(ops, qkv, i, rope, self.attention_scale, self.attn_softcap)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.post_attention_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.post_ffw_norm(ops, block.ffn(ops, block.ffn_norm(ops, x))))
        return ops.softcap(self.output(ops, self.output_norm(ops, x)), self.final_softcap)
