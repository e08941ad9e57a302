"""PLaMo 2: 1B, 2B and 8B.

The layers have the norms of PLaMo 3 (see `rushlight.models.plamo3`): before and behind the mixer
(``attn_norm``, ``post_attention_norm``) and the feed-forward network (``ffn_norm``, ``post_ffw_norm``), those
behind without ``.weight``. ``ffn_up`` holds gate, then up.

- A layer whose entry of ``attention.head_count_kv`` is 0 has a scan of Mamba-2 (see `Ops.ssm_scan`) whose
  step, b and c are made as in Mamba-1: ``ssm_in`` gives each head its gate, then its columns of x; x goes
  through a short convolution and SiLU; ``ssm_x`` makes b, c and a low-rank step of it, each of which has an
  RMS norm (``ssm_b_norm``, ``ssm_c_norm``, ``ssm_dt_norm``, without ``.weight``). The step has
  ``max(64, n_embd / 16)`` columns, from which ``ssm_dt`` makes one for each head. All heads share b and c.
- The others have attention, ``attn_qkv`` holding queries, keys and values one below the other. Each head of
  queries and of keys has an RMS norm with weights of its own, then RoPE by halves (NeoX).

llama.cpp takes what RoPE turns from the first layer's heads, which in real files has none, and so turns
nothing; the models were trained with RoPE (vLLM's ``plamo2.py`` has it), and this turns it. Files whose first
layer has attention give the same in both.

Source: Preferred Networks 2025, "PLaMo 2 Technical Report"; ``plamo2.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, Tensor, Weight
from rushlight.backends.cache import RecurrentCache
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.layers import FusedSwiGLU, RmsNorm
from rushlight.models.weights import Weights

_MAX = 1 << 20


class ScanSizes(NamedTuple):
    """Taps of the convolution, columns of all heads, heads, and rows of a head's state."""

    n_taps: int
    n_inner: int
    n_head: int
    n_state: int

    @property
    def head_dim(self) -> int:
        """Columns of a head."""
        return self.n_inner // self.n_head

    @property
    def cache(self) -> RecurrentCache:
        """What the layer keeps of a sequence."""
        return RecurrentCache((self.n_head, self.n_state, self.head_dim), (self.n_taps - 1, self.n_inner))


class Scan:
    """The weights of a layer's scan, up to its output matrix."""

    def __init__(self, weights: Weights, config: Config, sizes: ScanSizes, name: str) -> None:
        n_inner, n_head, n_state = sizes.n_inner, sizes.n_head, sizes.n_state
        self._sizes, self._eps, self._n_step = sizes, config.norm_eps, max(64, config.n_embd // 16)
        self._gate, self._in = weights.halves(f"{name}.ssm_in", n_head, sizes.head_dim, config.n_embd)
        self._conv = weights.columns(f"{name}.ssm_conv1d.weight", n_inner, sizes.n_taps)
        self._x = weights.linear(f"{name}.ssm_x", self._n_step + 2 * n_state, n_inner)
        self._dt = weights.linear(f"{name}.ssm_dt", n_head, self._n_step)
        of_norms = (("b", n_state), ("c", n_state), ("dt", self._n_step))
        self._norms = [weights.vector(f"{name}.ssm_{of}_norm", n) for of, n in of_norms]
        self._a = weights.vector(f"{name}.ssm_a", n_head)
        self._d = weights.repeated(f"{name}.ssm_d", n_head, sizes.head_dim)

    def __call__(self, ops: Ops, x: Tensor, layer: int) -> Tensor:
        """The gated heads: [T, n_inner]."""
        n_state = self._sizes.n_state
        gate, inner = self._gate(ops, x), ops.silu(ops.short_conv(self._in(ops, x), self._conv, layer))
        made = self._x(ops, inner)
        stops = (n_state, 2 * n_state, 2 * n_state + self._n_step)
        parts = (made.columns(start, stop) for start, stop in zip((0, *stops), stops, strict=False))
        b, c, step = (
            ops.rms_norm(part, norm, self._eps) for part, norm in zip(parts, self._norms, strict=True)
        )
        read = ops.ssm_scan(inner, ops.softplus(self._dt(ops, step)), self._a, b, c, layer)
        return ops.silu_mul(gate, ops.add(read, ops.multiply(inner, self._d)))


class Attention:
    """The weights of a layer's attention, up to its output matrix."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        head_dim, self._config = config.n_embd_head_k, config
        self._qkv = weights.qkv(name, config)
        self._q_norm = weights.flat(f"{name}.attn_q_norm.weight", config.n_head, head_dim)
        self._k_norm = weights.flat(f"{name}.attn_k_norm.weight", config.n_head_kv, head_dim)

    def __call__(self, ops: Ops, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        q, k, v = self._qkv(ops, x)
        return (
            self._normed(ops, q, self._q_norm, self._config.n_head),
            self._normed(ops, k, self._k_norm, self._config.n_head_kv),
            v,
        )

    def _normed(self, ops: Ops, x: Tensor, weight: Weight, n_head: int) -> Tensor:
        return ops.multiply(ops.rms_norm(x, None, self._config.norm_eps, n_head), weight)


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, sizes: ScanSizes, n_head_kv: int, name: str) -> None:
        n_embd, self._eps = config.n_embd, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, self._eps)
        self.mixer: Scan | Attention
        if n_head_kv:
            self.mixer = Attention(weights, config, name)
            n_mixed = config.n_head * config.n_embd_head_v
            self.output = weights.linear(f"{name}.attn_output", n_embd, n_mixed)
        else:
            self.mixer = Scan(weights, config, sizes, name)
            self.output = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_inner)
        self._post_norm = weights.vector(f"{name}.post_attention_norm", n_embd)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, self._eps)
        self.ffn = FusedSwiGLU(weights, config, name)
        self._post_ffw_norm = weights.vector(f"{name}.post_ffw_norm", n_embd)

    def behind_mixer(self, ops: Ops, x: Tensor, mixed: Tensor) -> Tensor:
        """The rest of the layer: x with what the mixer gave and what the network makes of it."""
        x = ops.add(x, ops.rms_norm(self.output(ops, mixed), self._post_norm, self._eps))
        made = self.ffn(ops, self.ffn_norm(ops, x))
        return ops.add(x, ops.rms_norm(made, self._post_ffw_norm, self._eps))


class Model(Decoder):
    """A model of the plamo2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads = read_heads(accounts)
        n_head = _read_query_heads(accounts, heads)
        config = read_config(accounts, "plamo2", n_head=n_head, n_head_kv=max(heads))
        sizes, weights = _read_scan(accounts), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0 if n else sizes.cache for n in heads])
        self.rope = self.rope_table(interleaved=False)
        self.blocks = [Block(weights, config, sizes, n, f"blk.{i}") for i, n in enumerate(heads)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, Attention):
                mixed = self.attend(ops, block.mixer(ops, normed), i, self.rope)
            else:
                mixed = block.mixer(ops, normed, i)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = block.behind_mixer(ops, x, mixed)
        return self.output(ops, self.output_norm(ops, x))


def _read_query_heads(accounts: Accounting, heads_kv: tuple[int, ...]) -> int:
    heads = accounts.get_int_or_array("attention.head_count", len(heads_kv), min=0, max=_MAX)
    found = {n for n, n_kv in zip(heads, heads_kv, strict=True) if n_kv}
    if len(found) != 1 or 0 in found:
        raise InvalidFile(
            f"Metadata attention.head_count holds {sorted(found)} for layers with attention; expected one "
            "number."
        )
    return found.pop()


def _read_scan(accounts: Accounting) -> ScanSizes:
    accounts.expect("ssm.group_count", 0, "all heads share b and c in this architecture")
    sizes = ScanSizes(
        n_taps=accounts.get_int("ssm.conv_kernel", min=2, max=1 << 10),
        n_inner=accounts.get_int("ssm.inner_size", min=1, max=_MAX),
        n_head=accounts.get_int("ssm.time_step_rank", min=1, max=_MAX),
        n_state=accounts.get_int("ssm.state_size", min=1, max=_MAX),
    )
    if sizes.n_inner % sizes.n_head:
        raise InvalidFile(
            f"{sizes.n_inner} columns (ssm.inner_size) are no whole number for each of {sizes.n_head} heads "
            "(ssm.time_step_rank)."
        )
    return sizes
