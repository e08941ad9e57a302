"""Phi-3 mini and medium, Phi-3.5 mini, Phi-4 and Phi-4 mini.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attn_qkv`` holds queries, keys and values one below the other; ``ffn_up`` holds gate, then up.
- RoPE turns halves of a head (NeoX); Phi-4 mini turns only the first 3/4 of it.
- The 128k models carry LongRoPE's two sets of frequency factors, one for contexts up to
  ``rope.scaling.original_context_length`` and one beyond, and multiply queries and keys by
  ``rope.scaling.attn_factor``. The set is chosen by the context the model is loaded with, as llama.cpp does,
  so that a sequence never changes it half way.
- ``attention.sliding_window``, where it is not 0, limits every layer to that many positions, as in
  transformers (llama.cpp leaves it out).

Source: Abdin et al. 2024, "Phi-3 Technical Report"; ``phi3.cpp`` in llama.cpp's ``src/models``;
``modeling_phi3.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.linear import Joined
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff = config.n_embd, config.n_ff
        self.attn_norm = weights.vector(f"{name}.attn_norm.weight", n_embd)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = weights.vector(f"{name}.ffn_norm.weight", n_embd)
        self.ffn_gate_up = Joined((weights.linear(f"{name}.ffn_up", 2 * n_ff, n_embd),), (n_ff, n_ff))
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)


class Model(Decoder):
    """A model of the phi3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config = read_config(accounts, "phi3", n_swa=n_swa)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [n_swa] * config.n_layer)
        longrope = config.rope_scaling.type == "longrope"
        self.rope = self.rope_table(False, weights.longrope_factors(config.n_rot, optional=not longrope))
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = weights.vector("output_norm.weight", config.n_embd)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config, eps = self.config, self.config.norm_eps
        scale = 1 / math.sqrt(config.n_embd_head_k)
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, ops.rms_norm(x, block.attn_norm, eps))
            q = ops.rope(q, self.rope, config.n_head)
            k = ops.rope(k, self.rope, config.n_head_kv)
            attended = ops.attention(q, k, v, i, scale)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            gate, up = block.ffn_gate_up(ops, ops.rms_norm(x, block.ffn_norm, eps))
            x = ops.add(x, block.ffn_down(ops, ops.silu_mul(gate, up)))
        return self.output(ops, ops.rms_norm(x, self.output_norm, eps))
