"""MiniMax-M3, text.

A llama block (see `rushlight.models.llama`), with these differences:

- Each query head and key head goes through an RMS norm before RoPE, which turns halves (NeoX) of the first
  ``rope.dimension_count`` columns.
- Feed-forward networks have the clamped SwiGLU of gpt-oss, with its limit of 7. All but the first
  ``leading_dense_block_count`` are mixtures of experts: sigmoid (``expert_gating_func``), a bias that takes
  part in the choice alone (``exp_probs_b``), weights divided by their sum (``expert_weights_norm``) and
  multiplied (``expert_weights_scale``), and ``expert_shared_count`` experts that every token uses.
- These layers have block-sparse attention. Each key-value head has a small query (``indexer.q_proj``), each
  position one small key (``indexer.k_proj``), of ``attention.indexer.key_length`` columns, both normed and
  turned as those of attention. The head sees ``attention.indexer.top_k`` blocks of
  ``attention.indexer.block_size`` positions: the token's own and others of the last
  ``attention.indexer.local_blocks``, then those whose best position has the highest product.
- Of blocks with equal scores the earlier is chosen; llama.cpp and transformers have no rule for these.

llama.cpp has this attention with flash attention only; without, its heads see all positions. Keys and values
are read in runs of 256 positions, those without a chosen one left out. Images are not supported.

Source: MiniMax 2026, "MiniMax-M3"; ``minimax-m3.cpp`` in llama.cpp's ``src/models``;
``modeling_minimax_m3_vl.py`` in transformers.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, Positions, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Blocks, Part, block_of
from rushlight.models.config import Config, read_config
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ClampedSwiGLUExperts, ExpertsAndShared, SharedExpert
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights

_MAX_COLUMNS, _MAX_POSITIONS = 1 << 12, 1 << 20


class BlockChoice(NamedTuple):
    """What a head sees.

    Attributes:
        head_dim: columns of the queries and keys that blocks are chosen by.
        n_top: blocks.
        size: positions of each.
        n_local: how many of them are the token's own and those before it.
    """

    head_dim: int
    n_top: int
    size: int
    n_local: int

    def within(self, n_ctx: int) -> BlockChoice:
        """No more positions than a sequence has, and the last block in part beyond it."""
        size = min(self.size, n_ctx)
        n_top = min(self.n_top, -(-n_ctx // size))
        return self._replace(size=size, n_top=n_top, n_local=min(self.n_local, n_top))


class BlockIndexer:
    """What chooses the blocks of a layer; `cache` is the number of the cache that has its keys."""

    def __init__(self, weights: Weights, config: Config, choice: BlockChoice, name: str, cache: int) -> None:
        n_query, n, eps = config.n_head_kv * choice.head_dim, choice.head_dim, config.norm_eps
        self._q = weights.linear(f"{name}.indexer.q_proj", n_query, config.n_embd)
        self._k = weights.linear(f"{name}.indexer.k_proj", n, config.n_embd)
        self._q_norm = RmsNorm(weights, f"{name}.indexer.q_norm", n, eps)
        self._k_norm = RmsNorm(weights, f"{name}.indexer.k_norm", n, eps)
        self._n_head, self._choice, self._cache = config.n_head_kv, choice, cache

    def __call__(self, ops: Ops, x: Tensor, rope: RopeTable) -> Positions:
        """The positions that each head sees."""
        q = ops.rope(self._q_norm(ops, self._q(ops, x)), rope, self._n_head)
        k = ops.rope(self._k_norm(ops, self._k(ops, x)), rope, 1)
        _, n_top, size, n_local = self._choice
        return ops.top_blocks(q, k, self._cache, n_top, size, n_local)


class ClampedSwiGLU(SwiGLU):
    """A `SwiGLU` with the clamped activation."""

    def __init__(self, network: SwiGLU) -> None:
        self._gate_up, self._down = network._gate_up, network._down

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        gate, up = self._gate_up(ops, x)
        return self._down(ops, ops.swiglu_oai(gate, up))


class Model(Blocks):
    """A model of the minimax-m3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "minimax-m3", experts=True), Weights(accounts, backend)
        experts, choice = read_deepseek_experts(accounts, config.n_layer, "sigmoid"), _read(accounts, config)
        dense = min(experts.n_layer_dense_lead, config.n_layer)
        keys = config._replace(n_head_kv=1, n_embd_head_k=choice.head_dim, n_embd_head_v=0)
        layer_configs = [config] * config.n_layer + [keys] * (config.n_layer - dense)
        super().__init__(config, weights, n_ctx, [0] * len(layer_configs), layer_configs)
        choice = choice.within(self.n_ctx)
        self.rope = self.rope_table(interleaved=False)
        qk_norms = config.n_embd_head_k, config.n_embd_head_k
        self.blocks = [
            block_of(weights, config, f"blk.{i}", _ffn(weights, config, experts, i), qk_norms=qk_norms)
            for i in range(config.n_layer)
        ]
        self.indexers = {
            i: BlockIndexer(weights, config, choice, f"blk.{i}", config.n_layer + i - dense)
            for i in range(dense, config.n_layer)
        }
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def choose(self, ops: Ops, x: Tensor, layer: int) -> Positions | None:
        """The positions that each key-value head sees; None in the dense layers: all."""
        return self.indexers[layer](ops, x, self.rope) if layer in self.indexers else None


def _read(accounts: Accounting, config: Config) -> BlockChoice:
    n_head = accounts.get_int("attention.indexer.head_count", min=1)
    if n_head != config.n_head_kv:
        raise InvalidFile(f"{n_head} heads choose blocks for {config.n_head_kv} key-value heads.")
    head_dim = accounts.get_int("attention.indexer.key_length", min=1, max=_MAX_COLUMNS)
    if head_dim < config.n_rot:
        raise InvalidFile(
            f"Indexer keys of {head_dim} columns have fewer than the {config.n_rot} RoPE turns."
        )
    n_top = accounts.get_int("attention.indexer.top_k", min=1, max=_MAX_POSITIONS)
    size = accounts.get_int("attention.indexer.block_size", min=1, max=_MAX_POSITIONS // n_top)
    return BlockChoice(
        head_dim, n_top, size, accounts.get_int("attention.indexer.local_blocks", min=1, max=n_top)
    )


def _ffn(weights: Weights, config: Config, experts: ExpertConfig, layer: int) -> Part:
    name = f"blk.{layer}"
    if layer < experts.n_layer_dense_lead:
        return ClampedSwiGLU(SwiGLU(weights, config, name))
    chosen = ClampedSwiGLUExperts(weights, config, experts, name)
    if not experts.n_ff_shared:
        return chosen
    shared = SharedExpert(weights, config.n_embd, experts.n_ff_shared, name)
    return ExpertsAndShared(chosen, ClampedSwiGLU(shared))
