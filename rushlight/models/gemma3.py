"""Gemma 3, text: 270M to 27B.

Beside a llama block (see `rushlight.models.llama`):

- Embeddings are multiplied by sqrt(n_embd). Gemma's norms scale by 1 + weight; GGUF files hold the sum.
- Each query head and each key head goes through an RMS norm of its own width before RoPE.
- Attention and feed-forward network are each followed by a second norm (``post_attention_norm``,
  ``post_ffw_norm``) before the residual is added. The gate goes through GELU (tanh form).
- Of every six layers, five see only ``attention.sliding_window`` positions and turn RoPE (NeoX halves) with
  the base 10,000, unscaled; the sixth sees all, with ``rope.freq_base`` and ``rope.scaling``.
- Scores are scaled by 1 / sqrt(key_length); the 27B model, known by its 62 layers, by
  1 / sqrt(n_embd / n_head).
- The output head is the embedding. Logits go through a soft cap where the file has one
  (``final_logit_softcapping``); Google's own models have none.

Source: Gemma Team 2025, "Gemma 3 Technical Report"; ``gemma3.cpp`` in llama.cpp's ``src/models``;
``modeling_gemma3.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights

_LAYERS_OF_27B = 62


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff = config.n_embd, config.n_ff
        self.attn_norm = weights.vector(f"{name}.attn_norm.weight", n_embd)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = weights.vector(f"{name}.attn_q_norm.weight", config.n_embd_head_k)
        self.attn_k_norm = weights.vector(f"{name}.attn_k_norm.weight", config.n_embd_head_k)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.post_attention_norm = weights.vector(f"{name}.post_attention_norm.weight", n_embd)
        self.ffn_norm = weights.vector(f"{name}.ffn_norm.weight", n_embd)
        self.ffn_gate_up = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)
        self.post_ffw_norm = weights.vector(f"{name}.post_ffw_norm.weight", n_embd)


class Model(Decoder):
    """A model of the gemma3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        local_base = read_window_freq_base(accounts, 10000.0)
        self.softcap = accounts.get_float("final_logit_softcapping", 0.0, min=0.0)
        config = read_config(accounts, "gemma3", n_swa=n_swa)
        weights = Weights(accounts, backend)
        self.is_local = [n_swa > 0 and local for local in read_window_layers(accounts, config.n_layer, 6)]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)
        wide = config.n_embd // config.n_head
        width = wide if config.n_layer == _LAYERS_OF_27B else config.n_embd_head_k
        self.attention_scale = 1 / math.sqrt(width)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config, eps = self.config, self.config.norm_eps
        x = ops.embed(self.token_embd, math.sqrt(config.n_embd))
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            q, k, v = block.attn_qkv(ops, ops.rms_norm(x, block.attn_norm, eps))
            q = ops.rope(ops.rms_norm(q, block.attn_q_norm, eps, config.n_head), rope, config.n_head)
            k = ops.rope(ops.rms_norm(k, block.attn_k_norm, eps, config.n_head_kv), rope, config.n_head_kv)
            attended = ops.attention(q, k, v, i, self.attention_scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, ops.rms_norm(block.attn_output(ops, attended), block.post_attention_norm, eps))
            gate, up = block.ffn_gate_up(ops, ops.rms_norm(x, block.ffn_norm, eps))
            ffn = block.ffn_down(ops, ops.gelu_mul(gate, up))
            x = ops.add(x, ops.rms_norm(ffn, block.post_ffw_norm, eps))
        logits = self.output(ops, ops.rms_norm(x, self.output_norm, eps))
        return ops.softcap(logits, self.softcap) if self.softcap else logits
