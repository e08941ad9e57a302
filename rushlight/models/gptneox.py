"""GPT-NeoX 20B, Pythia, RedPajama-INCITE, Dolly.

Beside a llama block (see `rushlight.models.llama`):

- Attention and the feed-forward network each have a layer norm of their own, with bias, and run side by
  side: ``x + attention(norm(x)) + ffn(norm'(x))``. With ``use_parallel_residual`` false they run one after
  the other.
- ``attn_qkv`` holds queries, keys and values one below the other; every linear layer has a bias, except the
  output head.
- The feed-forward network is ``down(gelu(up(x)))``, without a gate.
- RoPE turns halves (NeoX) of the first ``rope.dimension_count`` columns of a head.

Source: Black et al. 2022, "GPT-NeoX-20B"; ``gptneox.cpp`` in llama.cpp's ``src/models``;
``modeling_gpt_neox.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import GeluFFN, LayerNorm
from rushlight.models.llama_block import LlamaBlock
from rushlight.models.weights import Weights


class Model(Decoder):
    """A model of the gptneox architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        self.parallel = accounts.get_bool("use_parallel_residual")
        config = read_config(accounts, "gptneox", norm_eps="attention.layer_norm_epsilon")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [
            LlamaBlock(weights, config, name, ffn=GeluFFN(weights, config, name), norm=LayerNorm)
            for name in names
        ]
        self.output_norm = LayerNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            total = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(total, block.ffn(ops, block.ffn_norm(ops, x if self.parallel else total)))
        return self.output(ops, self.output_norm(ops, x))
