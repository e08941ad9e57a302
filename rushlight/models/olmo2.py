"""OLMo 2 and OLMo 3.

Beside a llama block (see `rushlight.models.llama`):

- No norm in front: attention and feed-forward network read the residual itself, and each is followed by a
  norm (``post_attention_norm``, ``post_ffw_norm``) before it is added.
- Queries and keys go through an RMS norm over all heads together, before RoPE, which turns halves (NeoX).
- OLMo 3: of every four layers, three see only ``attention.sliding_window`` positions and turn RoPE unscaled;
  the fourth sees all, with YaRN.

Source: Team OLMo 2024, "2 OLMo 2 Furious"; ``olmo2.cpp`` in llama.cpp's ``src/models``; ``modeling_olmo2.py``
and ``modeling_olmo3.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        n_q, n_k = config.n_head * config.n_embd_head_k, config.n_head_kv * config.n_embd_head_k
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", n_q, eps)
        self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", n_k, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn = SwiGLU(weights, config, name)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)


class Model(Decoder):
    """A model of the olmo2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config, weights = read_config(accounts, "olmo2", n_swa=n_swa), Weights(accounts, backend)
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        is_local = read_window_layers(accounts, config.n_layer, period=4)
        self.is_local = [n_swa > 0 and local for local in is_local]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            q, k, v = block.attn_qkv(ops, x)
            attended = self.attend(ops, (block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v), i, rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.post_attention_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.post_ffw_norm(ops, block.ffn(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
