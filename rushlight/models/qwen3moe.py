"""Qwen 3 with experts: Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder.

A qwen3 block (see `rushlight.models.qwen3`) with experts in place of the feed-forward network, each
``expert_feed_forward_length`` wide: softmax over all of them, the weights of the chosen divided by their sum.

Source: Yang et al. 2025, "Qwen3 Technical Report"; ``qwen3moe.cpp`` in llama.cpp's ``src/models``;
``modeling_qwen3_moe.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, block_of
from rushlight.models.config import read_config
from rushlight.models.expert_config import read_expert_ff, read_experts
from rushlight.models.experts import SwiGLUExperts
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class ExpertBlocks(Blocks):
    """A model of such blocks.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        backend: takes the weights over.
        n_ctx: positions to load for; None: as many as the model was trained for.
    """

    def __init__(self, accounts: Accounting, arch: str, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, arch, experts=True), Weights(accounts, backend)
        experts = read_experts(accounts, config.n_layer, config.n_ff)
        n_ff = read_expert_ff(accounts, config.n_layer, config.n_ff // experts.routing.n_used)
        experts = experts._replace(n_ff=n_ff)
        accounts.expect("expert_shared_feed_forward_length", 0, "shared experts are not known")
        super().__init__(config, weights, n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_embd_head_k, config.n_embd_head_k

        def block(name: str) -> Block:
            ffn = SwiGLUExperts(weights, config, experts, name)
            return block_of(weights, config, name, ffn, qk_norms=qk_norms)

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)


class Model(ExpertBlocks):
    """A model of the qwen3moe architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, "qwen3moe", backend, n_ctx)
