"""Multi-head latent attention (MLA), whose keys and values come from one short vector of each token.

Source: DeepSeek-AI 2024, "DeepSeek-V2", section 2.1; ``deepseek2.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Ops, Positions, RopeTable, Tensor, Weight
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights


class LatentSizes(NamedTuple):
    """Sizes of a head and of what is kept.

    Attributes:
        n_head: heads (H).
        n_nope, n_rot: columns of a query or key that no position turns, and of those behind them that RoPE
            turns. All heads share the latter of a key.
        n_value: columns of a value.
        n_lora_q: columns that queries come from; 0: they come from the input.
        n_lora_kv: columns that keys and values come from.
        absorbed: keys and values are not made: ``attn_k_b`` is applied to the queries and ``attn_v_b`` to
            what they attend to, and the cache keeps the short vectors.
    """

    n_head: int
    n_nope: int
    n_rot: int
    n_value: int
    n_lora_q: int
    n_lora_kv: int
    absorbed: bool

    @property
    def n_key(self) -> int:
        """Columns of a query."""
        return self.n_nope + self.n_rot


def keeping_latent(accounts: Accounting, config: Config) -> Config:
    """The configuration of files whose ``attention.value_length``, if any, says another thing."""
    return config._replace(n_embd_head_v=accounts.get_int("attention.kv_lora_rank", min=1))


def read_absorbed(accounts: Accounting, config: Config) -> LatentSizes:
    """Read the sizes of layers that keep the short vectors, in files that have no other.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts what is kept.
    """
    n_lora_kv, n_rot = accounts.get_int("attention.kv_lora_rank", min=1), config.n_rot
    n_key = accounts.get_int("attention.key_length_mla", min=1)
    kept = config.n_head_kv, config.n_embd_head_k, config.n_embd_head_v
    if kept != (1, n_lora_kv + n_rot, n_lora_kv) or n_key <= n_rot:
        raise InvalidFile(
            f"Latent attention of {n_lora_kv} and {n_rot} columns, with keys of {n_key}, cannot keep {kept}."
        )
    return LatentSizes(
        n_head=config.n_head,
        n_nope=n_key - n_rot,
        n_rot=n_rot,
        n_value=accounts.get_int("attention.value_length_mla", min=1),
        n_lora_q=accounts.get_int("attention.q_lora_rank", 0, min=0),
        n_lora_kv=n_lora_kv,
        absorbed=True,
    )


class LatentAttention:
    """The attention of a layer, its output matrix left out.

    Args:
        weights: of the file.
        config: hyper-parameters.
        sizes: of the heads.
        name: of the layer.
        k_norm: ``attn_k_norm`` norms the columns of a key that RoPE turns.
    """

    def __init__(
        self, weights: Weights, config: Config, sizes: LatentSizes, name: str, k_norm: bool = False
    ) -> None:
        n_embd, eps, n_query = config.n_embd, config.norm_eps, sizes.n_head * sizes.n_key
        self._sizes = sizes
        self._q_a_norm = None
        if sizes.n_lora_q:
            self._q_a = weights.linear(f"{name}.attn_q_a", sizes.n_lora_q, n_embd)
            self._q_a_norm = RmsNorm(weights, f"{name}.attn_q_a_norm", sizes.n_lora_q, eps)
            self._q = weights.linear(f"{name}.attn_q_b", n_query, sizes.n_lora_q)
        else:
            self._q = weights.linear(f"{name}.attn_q", n_query, n_embd)
        self._kv_a = weights.linear(f"{name}.attn_kv_a_mqa", sizes.n_lora_kv + sizes.n_rot, n_embd)
        self._kv_a_norm = RmsNorm(weights, f"{name}.attn_kv_a_norm", sizes.n_lora_kv, eps)
        self._k_norm = RmsNorm(weights, f"{name}.attn_k_norm", sizes.n_rot, eps) if k_norm else None
        if sizes.absorbed:
            n_head = sizes.n_head
            self._k_b = weights.experts(f"{name}.attn_k_b", n_head, sizes.n_lora_kv, sizes.n_nope).weight
            self._v_b = weights.experts(f"{name}.attn_v_b", n_head, sizes.n_value, sizes.n_lora_kv).weight
        else:
            n_kv = sizes.n_head * (sizes.n_nope + sizes.n_value)
            self._kv_b = weights.linear(f"{name}.attn_kv_b", n_kv, sizes.n_lora_kv)

    def q_source(self, ops: Ops, x: Tensor) -> Tensor:
        """What queries come from: [T, n_lora_q], or x itself."""
        return x if self._q_a_norm is None else self._q_a_norm(ops, self._q_a(ops, x))

    def __call__(
        self,
        ops: Ops,
        x: Tensor,
        layer: int,
        rope: RopeTable | None,
        scale: float,
        growth: Tensor | None = None,
        q_source: Tensor | None = None,
        chosen: Positions | None = None,
        sinks: Weight | None = None,
    ) -> Tensor:
        """What the heads attend to: [T, H * n_value].

        Without `rope` no position turns anything; queries are multiplied by `growth` [T, 1]. `q_source` is
        the method's result, if it is there already, and `chosen` and `sinks` what `Ops.attention` takes.
        """
        sizes, n_head = self._sizes, self._sizes.n_head
        q = self._q(ops, self.q_source(ops, x) if q_source is None else q_source)
        q_nope = ops.head_columns(q, n_head, 0, sizes.n_nope)
        q_rope = ops.head_columns(q, n_head, sizes.n_nope, sizes.n_key)
        kv = self._kv_a(ops, x)
        latent = self._kv_a_norm(ops, kv.columns(0, sizes.n_lora_kv))
        k_rope = kv.columns(sizes.n_lora_kv, kv.n_columns)
        if self._k_norm is not None:
            k_rope = self._k_norm(ops, k_rope)
        if rope is not None:
            q_rope, k_rope = ops.rope(q_rope, rope, n_head), ops.rope(k_rope, rope, 1)
        if growth is not None:
            q_nope, q_rope = ops.scale_rows(q_nope, growth), ops.scale_rows(q_rope, growth)
        if sizes.absorbed:
            q = ops.join_heads(ops.head_linear(q_nope, self._k_b), q_rope, n_head)
            k = ops.join_heads(latent, k_rope, 1)
            attended = ops.attention(q, k, latent, layer, scale, sinks=sinks, chosen=chosen)
            return ops.head_linear(attended, self._v_b)
        kv = self._kv_b(ops, latent)
        k = ops.join_heads(ops.head_columns(kv, n_head, 0, sizes.n_nope), k_rope, n_head, one=True)
        v = ops.head_columns(kv, n_head, sizes.n_nope, sizes.n_nope + sizes.n_value)
        q = ops.join_heads(q_nope, q_rope, n_head)
        return ops.attention(q, k, v, layer, scale, sinks=sinks, chosen=chosen)
