"""EXAONE 4.0: 1.2B and 32B.

Beside a llama block (see `rushlight.models.llama`):

- No norm in front: attention and feed-forward network read the residual itself, and each is followed by a
  norm (``post_attention_norm``, ``post_ffw_norm``) before it is added.
- Each query head and each key head goes through an RMS norm of its own width.
- The 32B model, known by its 64 layers: of every four layers, three see only ``attention.sliding_window``
  positions, and only these turn RoPE; the fourth sees all and knows no positions. In the 1.2B model every
  layer sees all and turns.
- RoPE turns halves (NeoX); its frequencies are divided by ``rope_freqs.weight``.

Layers that predict several tokens (EXAONE 4.5) are not implemented.

Source: LG AI Research 2025, "EXAONE 4.0"; ``exaone4.cpp`` in llama.cpp's ``src/models``;
``modeling_exaone4.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights

_LAYERS_OF_32B = 64


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", config.n_embd_head_k, eps)
        self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", config.n_embd_head_k, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn = SwiGLU(weights, config, name)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)


class Model(Decoder):
    """A model of the exaone4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "exaone4"), Weights(accounts, backend)
        n_swa = accounts.get_int("attention.sliding_window", 4096, min=0)
        accounts.expect(
            "rope.freq_base_swa", config.rope_freq_base, "another base for windowed layers is not implemented"
        )
        is_local = read_window_layers(accounts, config.n_layer, period=4)
        windowed = config.n_layer == _LAYERS_OF_32B
        windows = [n_swa if windowed and local else 0 for local in is_local]
        super().__init__(config._replace(n_swa=max(windows)), weights, n_ctx, windows)
        rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
        self.ropes: list[RopeTable | None] = [rope if local or not windowed else None for local in is_local]
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, x)
            qkv = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v
            attended = self.attend(ops, qkv, i, self.ropes[i])
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.post_attention_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.post_ffw_norm(ops, block.ffn(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
