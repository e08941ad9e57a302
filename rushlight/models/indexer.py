"""The lightning indexer, which chooses the positions that latent attention sees (DeepSeek sparse attention).

Each token has some small queries and a weight for each of them, each position one small key, which a cache of
its own keeps; the positions with the highest sums of weighted scores are chosen (see `Ops.top_positions`). A
factor that all scores share, and a rotation of queries and keys by the same matrix, change no choice and are
left out.

Source: DeepSeek-AI 2025, "DeepSeek-V3.2", section 2.1; ``deepseek32.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Ops, Positions, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights

_EPS = 1e-6  # that of its norm, which no file says
_MAX_HEADS, _MAX_COLUMNS, _MAX_TOP = 1 << 12, 1 << 12, 1 << 20


class IndexerConfig(NamedTuple):
    """Sizes of the indexers of a model.

    Attributes:
        n_head: queries of a token (H).
        head_dim: columns of a query or key (D).
        n_top: positions that are chosen.
        interleaved: RoPE turns neighbouring columns, as `RopeTable` has it.
        own: whether a layer has an indexer; one that has none sees what was chosen for the layer before it.
    """

    n_head: int
    head_dim: int
    n_top: int
    interleaved: bool
    own: tuple[bool, ...]

    def within(self, n_ctx: int) -> IndexerConfig:
        """No more positions than a sequence has."""
        return self._replace(n_top=min(self.n_top, n_ctx))

    def key_config(self, config: Config) -> Config:
        """`config` of a cache that has keys alone."""
        return config._replace(n_head_kv=1, n_embd_head_k=self.head_dim, n_embd_head_v=0)


def read_indexer(
    accounts: Accounting, config: Config, interleaved: bool, own: tuple[bool, ...] | None = None
) -> IndexerConfig:
    """Read the sizes of the indexers.

    Args:
        accounts: of the file.
        config: hyper-parameters.
        interleaved, own: as `IndexerConfig` has them; None: every layer has an indexer.

    Raises:
        InvalidFile: a key that is missing or out of range, or a first layer without an indexer.
    """
    head_dim = accounts.get_int("attention.indexer.key_length", min=1, max=_MAX_COLUMNS)
    own = (True,) * config.n_layer if own is None else own
    if head_dim < config.n_rot:
        raise InvalidFile(
            f"Indexer keys of {head_dim} columns have fewer than the {config.n_rot} RoPE turns."
        )
    if not own[0]:
        raise InvalidFile("The first layer has no indexer, and no layer before it that has one.")
    return IndexerConfig(
        n_head=accounts.get_int("attention.indexer.head_count", min=1, max=_MAX_HEADS),
        head_dim=head_dim,
        n_top=accounts.get_int("attention.indexer.top_k", min=1, max=_MAX_TOP),
        interleaved=interleaved,
        own=own,
    )


class Indexer:
    """The indexer of a layer.

    Args:
        weights: of the file.
        config: hyper-parameters.
        sizes: of the indexer.
        n_lora_q: columns that its queries come from.
        name: of the layer.
        cache: number of the cache that keeps its keys.
    """

    def __init__(
        self, weights: Weights, config: Config, sizes: IndexerConfig, n_lora_q: int, name: str, cache: int
    ) -> None:
        n_query = sizes.n_head * sizes.head_dim
        self._sizes, self._cache = sizes, cache
        self._q = weights.linear(f"{name}.indexer.attn_q_b", n_query, n_lora_q)
        self._k = weights.linear(f"{name}.indexer.attn_k", sizes.head_dim, config.n_embd)
        self._k_norm = LayerNorm(weights, f"{name}.indexer.k_norm", sizes.head_dim, _EPS)
        self._weights = weights.linear(f"{name}.indexer.proj", sizes.n_head, config.n_embd)

    def __call__(self, ops: Ops, x: Tensor, q_source: Tensor, rope: RopeTable) -> Positions:
        """The positions that each token sees, by its input x and what its queries come from."""
        q = ops.rope(self._q(ops, q_source), rope, self._sizes.n_head)
        k = ops.rope(self._k_norm(ops, self._k(ops, x)), rope, 1)
        return ops.top_positions(q, self._weights(ops, x), k, self._cache, self._sizes.n_top)
