"""Jina Embeddings 2, and Jina Reranker 1.

A BERT (see `rushlight.models.bert`), with these differences:

- No embeddings of positions: scores fall with the distance (ALiBi, `rushlight.models.alibi`), with a largest
  bias of 8.
- Queries and keys may each go through a layer norm over all heads (``attn_q_norm``, ``attn_k_norm``).
- Some files norm once more what attention and the input of the layer add up to (``attn_norm_2``).
- The feed-forward network is GeGLU. The gate is ``ffn_gate``, or lies above up in one matrix ``ffn_up``.
- A reranker's head is ``tanh(cls(x))`` alone.

Source: Guenther et al. 2023, "Jina Embeddings 2"; ``jina-bert-v2.cpp`` and ``bert.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.alibi import MAX_BIAS, slopes_of
from rushlight.models.bert_block import BertBlock, BertBlocks, Network
from rushlight.models.config import Config, read_config
from rushlight.models.layers import FusedGeGLU, GeGLU, GeluFFN, LayerNorm
from rushlight.models.weights import Weights


class Block(BertBlock):
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        super().__init__(weights, config, name, _network(weights, config, name))
        n_q, n_k = (n * config.n_embd_head_k for n in (config.n_head, config.n_head_kv))
        self._q_norm = _optional_norm(weights, config, f"{name}.attn_q_norm", n_q)
        self._k_norm = _optional_norm(weights, config, f"{name}.attn_k_norm", n_k)
        self._norm_2 = _optional_norm(weights, config, f"{name}.attn_norm_2", config.n_embd)

    def qkv(self, ops: Ops, x: Tensor) -> tuple[Tensor, ...]:
        """Queries and keys, normed where the file has norms, and values."""
        q, k, v = self.attn_qkv(ops, x)
        q = q if self._q_norm is None else self._q_norm(ops, q)
        return q, k if self._k_norm is None else self._k_norm(ops, k), v

    def attended(self, ops: Ops, x: Tensor, attended: Tensor) -> Tensor:
        """See `BertBlock.attended`; with a second norm over the sum with the input."""
        normed = super().attended(ops, x, attended)
        return normed if self._norm_2 is None else self._norm_2(ops, ops.add(normed, x))


class Model(BertBlocks):
    """A model of the jina-bert-v2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(
            accounts,
            "jina-bert-v2",
            norm_eps="attention.layer_norm_epsilon",
            pools=True,
            ranks=True,
            causal=False,
            max_alibi_bias=MAX_BIAS,
        )
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, lambda layer: Block(weights, config, f"blk.{layer}"))
        self.slopes = slopes_of(weights, config.n_head, MAX_BIAS)


def _network(weights: Weights, config: Config, name: str) -> Network:
    if weights.has(f"{name}.ffn_gate.weight"):
        return GeGLU(weights, config, name)
    fused = weights.rows(f"{name}.ffn_up.weight") == 2 * config.n_ff
    return FusedGeGLU(weights, config, name) if fused else GeluFFN(weights, config, name)


def _optional_norm(weights: Weights, config: Config, name: str, n: int) -> LayerNorm | None:
    return LayerNorm(weights, name, n, config.norm_eps) if weights.has(f"{name}.weight") else None
