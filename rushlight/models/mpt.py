"""MPT: 1B to 30B, Replit Code.

Beside a llama block (see `rushlight.models.llama`):

- ALiBi (`rushlight.models.alibi`) in place of RoPE, with the largest bias of ``attention.max_alibi_bias``;
  some files have an embedding of each position (``position_embd``) instead.
- Layer norms; they and linear layers may have biases.
- ``attn_qkv`` holds queries, keys and values one below the other; with ``attention.clamp_kqv`` they are kept
  within it. Files with norms of queries and keys, which llama.cpp cannot run either, are refused.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.

Source: MosaicML 2023, "Introducing MPT-7B"; ``mpt.cpp`` in llama.cpp's ``src/models``; ``modeling_mpt.py`` in
transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidParameter
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import slopes_of
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the mpt architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.clamp_kqv = accounts.get_float("attention.clamp_kqv", 0.0, min=0.0)
        max_bias = accounts.get_float("attention.max_alibi_bias", 0.0, min=0.0)
        config = read_config(
            accounts,
            "mpt",
            norm_eps="attention.layer_norm_epsilon",
            clamps=True,
            max_alibi_bias=max_bias,
        )
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.slopes = slopes_of(weights, config.n_head, max_bias)
        self.position_embd = None
        if weights.has("position_embd.weight"):
            if self.n_ctx > config.n_ctx_train:
                raise InvalidParameter(
                    f"n_ctx is {n_ctx}; this model has embeddings of {config.n_ctx_train} positions."
                )
            self.position_embd = weights.positions(config.n_ctx_train, config.n_embd)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            LlamaBlock(weights, config, name, ffn=GeluFFN(weights, config, name), norm=LayerNorm)
            for name in names
        ]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        if self.position_embd is not None:
            x = ops.add(x, ops.embed_positions(self.position_embd))
        for i, block in enumerate(self.blocks):
            qkv = block.attn_qkv(ops, block.attn_norm(ops, x))
            if self.clamp_kqv:
                qkv = tuple(ops.clamp(part, self.clamp_kqv) for part in qkv)
            attended = self.attend(ops, qkv, i, None, slopes=self.slopes)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))
