"""GPT-2, and models of its shape such as Cerebras-GPT.

Beside a llama block (see `rushlight.models.llama`):

- No RoPE: every position has an embedding of its own (``position_embd``), which is added to the token's. A
  context cannot be longer than ``context_length``.
- Layer norms with biases; every linear layer has a bias, except the output head.
- ``attn_qkv`` holds queries, keys and values one below the other.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; ``gpt2.cpp`` in
llama.cpp's ``src/models``; ``modeling_gpt2.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidParameter
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class LearnedPositions(Decoder):
    """A model with an embedding for each position.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: all that have an embedding.

    Raises:
        InvalidParameter: `n_ctx` is more than that.
    """

    def __init__(self, config: Config, weights: Weights, n_ctx: int | None) -> None:
        if n_ctx is not None and n_ctx > config.n_ctx_train:
            raise InvalidParameter(
                f"n_ctx is {n_ctx}; {config.arch} models have embeddings of {config.n_ctx_train} positions."
            )
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.position_embd = weights.positions(config.n_ctx_train, config.n_embd)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            LlamaBlock(weights, config, name, ffn=GeluFFN(weights, config, name), norm=LayerNorm)
            for name in names
        ]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.add(ops.embed(self.token_embd), ops.embed_positions(self.position_embd))
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, rope=None)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


class Model(LearnedPositions):
    """A model of the gpt2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(accounts, "gpt2", norm_eps="attention.layer_norm_epsilon")
        super().__init__(config, Weights(accounts, backend), n_ctx)
