"""Nomic Embed Text 2: a mixture of experts in every other layer.

A BERT (see `rushlight.models.bert`), with these differences:

- RoPE turns halves of a head (NeoX) in place of the embeddings of positions.
- With ``moe_every_n_layers`` n, the second of every n layers is a mixture: a token's ``expert_used_count``
  experts of ``expert_count`` are chosen by softmax over all of them, each weighs as much as its probability,
  and an expert is ``down(gelu(up(x)))`` without biases.

Source: Nussbaum and Duderstadt 2025, "Training Sparse Mixture Of Experts Text Embedding Models";
``nomic-bert-moe.cpp`` and ``bert.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import BertBlock, BertBlocks
from rushlight.models.config import Config, read_config
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.layers import GeluFFN
from rushlight.models.weights import Weights


class GeluExperts:
    """Of the experts that a token chooses the weighted sum of ``down(gelu(up(x)))``."""

    def __init__(self, weights: Weights, config: Config, experts: ExpertConfig, name: str) -> None:
        n_expert, n_ff, n_embd = experts.n_expert, experts.n_ff, config.n_embd
        self._routing = experts.routing
        self._router = weights.linear(f"{name}.ffn_gate_inp", n_expert, n_embd)
        self._up = weights.experts(f"{name}.ffn_up_exps", n_expert, n_ff, n_embd)
        self._down = weights.experts(f"{name}.ffn_down_exps", n_expert, n_embd, n_ff)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        routes = ops.route(self._router(ops, x), self._routing)
        return ops.combine(self._down(ops, ops.gelu(self._up(ops, x, routes)), routes), routes)


class Model(BertBlocks):
    """A model of the nomic-bert-moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        period = accounts.get_int("moe_every_n_layers", 0, min=0)
        has_experts = period > 0
        config = read_config(
            accounts,
            "nomic-bert-moe",
            norm_eps="attention.layer_norm_epsilon",
            experts=has_experts,
            pools=True,
            causal=False,
        )
        experts = None
        if has_experts:
            experts = read_experts(accounts, config.n_layer, config.n_ff, normalize=False)
        weights = Weights(accounts, backend)

        def block(layer: int) -> BertBlock:
            name = f"blk.{layer}"
            if experts is not None and layer % period == 1:
                return BertBlock(weights, config, name, GeluExperts(weights, config, experts, name))
            return BertBlock(weights, config, name, GeluFFN(weights, config, name))

        super().__init__(config, weights, n_ctx, block)
        self.rope = self.rope_table(interleaved=False)
