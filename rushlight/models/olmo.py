"""OLMo 1 and 1.7.

A llama block (see `rushlight.models.llama`), with two differences:

- Layer norms without weights or biases in place of RMS norms.
- Queries, keys and values are clamped to ``attention.clamp_kqv`` on either side, where the file has it.

RoPE turns interleaved pairs.

Source: Groeneveld et al. 2024, "OLMo: Accelerating the Science of Language Models"; ``olmo.cpp`` in
llama.cpp's ``src/models``; ``modeling_olmo.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import SwiGLU
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_q = config.n_head * config.n_embd_head_v
        self.attn_qkv = weights.qkv(name, config)
        self.attn_output = weights.linear(f"{name}.attn_output", config.n_embd, n_q)
        self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the olmo architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.clamp_kqv = accounts.get_float("attention.clamp_kqv", 0.0, min=0.0)
        config = read_config(accounts, "olmo", norm_eps="attention.layer_norm_epsilon", clamps=True)
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.blocks = [Block(weights, config, f"blk.{i}") for i in range(config.n_layer)]

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        eps = self.config.norm_eps
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            qkv = block.attn_qkv(ops, ops.layer_norm(x, None, None, eps))
            if self.clamp_kqv:
                qkv = tuple(ops.clamp(part, self.clamp_kqv) for part in qkv)
            attended = self.attend(ops, qkv, i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, ops.layer_norm(x, None, None, eps)))
        return self.output(ops, ops.layer_norm(x, None, None, eps))
