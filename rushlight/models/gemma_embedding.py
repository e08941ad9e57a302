"""EmbeddingGemma 300M.

A Gemma 3 (see `rushlight.models.gemma3`) that reads both ways, with these differences:

- It is an encoder: every token sees what comes after it too. With ``attention.sliding_window`` n, of every
  six layers five see n / 2 positions to each side, the sixth all.
- Scores are scaled by 1 / sqrt(key_length). There are no logits: the normed hidden states are pooled
  (`rushlight.models.pooling`).
- Files that were converted with the dense layers of sentence-transformers have ``dense_2`` and ``dense_3``,
  two matrices without biases that the pooled vector is multiplied by.

Source: Schechter Vera et al. 2025, "EmbeddingGemma"; ``gemma-embedding.cpp`` in llama.cpp's ``src/models``;
``modeling_gemma3.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.encoder import Encoder
from rushlight.models.gemma3 import Block
from rushlight.models.linear import Linear
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Model(Encoder):
    """A model of the gemma-embedding architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        local_base = read_window_freq_base(accounts, 10000.0)
        accounts.expect("final_logit_softcapping", 0.0, "there are no logits")
        config = read_config(accounts, "gemma-embedding", n_swa=n_swa, pools=True, causal=False)
        weights = Weights(accounts, backend)
        self.is_local = read_window_layers(accounts, config.n_layer, 6)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)
        self.dense = _dense_layers(accounts, weights, config)

    def forward(self, ops: Ops) -> Tensor:
        """The embedding or the hidden states [R, E] of one step."""
        config, eps = self.config, self.config.norm_eps
        x = ops.embed(self.token_embd, math.sqrt(config.n_embd))
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            q, k, v = block.attn_qkv(ops, ops.rms_norm(x, block.attn_norm, eps))
            q = ops.rms_norm(q, block.attn_q_norm, eps, config.n_head)
            k = ops.rms_norm(k, block.attn_k_norm, eps, config.n_head_kv)
            attended = self.attend(ops, (q, k, v), i, rope)
            if block is self.blocks[-1]:
                x, attended = self.needed(ops, x), self.needed(ops, attended)
            x = ops.add(x, ops.rms_norm(block.attn_output(ops, attended), block.post_attention_norm, eps))
            gate, up = block.ffn_gate_up(ops, ops.rms_norm(x, block.ffn_norm, eps))
            ffn = block.ffn_down(ops, ops.gelu_mul(gate, up))
            x = ops.add(x, ops.rms_norm(ffn, block.post_ffw_norm, eps))
        x = self.result(ops, ops.rms_norm(x, self.output_norm, eps))
        for layer in self.dense:
            x = layer(ops, x)
        return x


def _dense_layers(accounts: Accounting, weights: Weights, config: Config) -> list[Linear]:
    """``dense_2`` [n, E] and ``dense_3`` [E, n], as far as the file has them."""
    n_embd, layers, width = config.n_embd, [], config.n_embd
    widths = {
        "dense_2": (n_embd, accounts.get_int("dense_2_feat_out", n_embd, min=1)),
        "dense_3": (accounts.get_int("dense_3_feat_in", n_embd, min=1), n_embd),
    }
    accounts.expect("dense_2_feat_in", n_embd, "the first dense layer reads hidden states")
    accounts.expect("dense_3_feat_out", n_embd, "an output of another width is not implemented")
    for name, (n_in, n_out) in widths.items():
        if weights.has(f"{name}.weight"):
            layers.append(weights.linear(name, n_out, n_in))
            if n_in != width:
                raise InvalidFile(f"Tensor {name}.weight reads {n_in} columns where there are {width}.")
            width = n_out
    if width != n_embd:
        raise InvalidFile(f"The dense layers give {width} columns; expected the model's {n_embd}.")
    return layers
