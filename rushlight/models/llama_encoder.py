"""Llama blocks that read both ways."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.base import Ops, RopeTable, Tensor
from rushlight.models.config import Config
from rushlight.models.encoder import Encoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.llama_block import LlamaBlock, Network
from rushlight.models.weights import Weights


class LlamaEncoder(Encoder):
    """A model of such blocks. An architecture reads its configuration and makes the RoPE table.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        output_norm: name of the last norm.
        ffn: makes a layer's feed-forward network.

    Attributes:
        rope: the angles of all layers; an architecture sets it after this constructor.
    """

    rope: RopeTable

    def __init__(
        self,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        output_norm: str = "output_norm",
        ffn: Callable[[Weights, Config, str], Network] = SwiGLU,
    ) -> None:
        super().__init__(config, weights, n_ctx)
        names = [f"blk.{i}" for i in range(config.n_layer)]
        self.blocks = [LlamaBlock(weights, config, name, ffn=ffn(weights, config, name)) for name in names]
        self.output_norm = RmsNorm(weights, output_norm, config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The embedding, scores or hidden states [R, n] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self.attend(ops, block.attn_qkv(ops, block.attn_norm(ops, x)), i, self.rope)
            if block is self.blocks[-1]:
                x, attended = self.needed(ops, x), self.needed(ops, attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.result(ops, self.output_norm(ops, x))
