"""Snowflake Arctic.

A llama block (see `rushlight.models.llama`), with these differences:

- Its feed-forward network is as wide as the hidden state. Experts work beside attention and network: they
  read what comes into the layer, through the norm ``ffn_norm_exps``, and are added to what comes out.
- Experts are ``feed_forward_length`` wide: softmax over all of them, the weights of the chosen divided by
  their sum.

RoPE turns interleaved pairs.

Source: Snowflake 2024, "Snowflake Arctic"; ``arctic.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class Block(LlamaBlock):
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        n_embd = config.n_embd
        super().__init__(weights, config, name, ffn=SwiGLU(weights, config._replace(n_ff=n_embd), name))
        self.expert_norm = RmsNorm(weights, f"{name}.ffn_norm_exps", n_embd, config.norm_eps)
        self.experts = SwiGLUExperts(weights, config, experts, name)


class Model(Decoder):
    """A model of the arctic architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "arctic", experts=True), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, config.n_ff)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.blocks = [Block(weights, config, experts, f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            chosen = block.experts(ops, block.expert_norm(ops, x))
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
            x = ops.add(x, chosen)
        return self.output(ops, self.output_norm(ops, x))
