"""Hunyuan 4: Hy4, in files whose attention sees all positions.

The parts of a layer are those of DeepSeek-V3 (see `rushlight.models.deepseek2`), with these differences:

- The hidden state is ``hyper_connection.count`` streams (S), all of them the embedding at first. What goes
  into the norm in front of attention or network is the sum of the streams, each times
  ``sigmoid(m_s * scale_0 + base_s) + eps``, and each stream gets the output times
  ``magnitude * sigmoid(m_(S + s) * scale_1 + base_(S + s)) + eps``. m is the product of ``hc_attn_fn`` or
  ``hc_ffn_fn`` with the RMS norm, without weights, of all streams together; scale and base are the tensors of
  these names, eps and magnitude ``hyper_connection.epsilon`` and ``.magnitude``. In the end
  ``output_hc_fn``, ``output_hc_scale`` and ``output_hc_base`` make one stream of them in the first way.
- Multi-head latent attention has a sink for each head (``attn_sinks``), and what is attended to is multiplied
  by the sigmoid of ``attn_gate``. RoPE turns interleaved pairs.
- Inside an expert the gate never exceeds ``swiglu_clamp_exp``, nor does up on either side, before
  ``silu(gate) * up``; the other networks are not limited.

Files with an indexer (``attention.indexer.top_k``), which chooses the positions that are seen, are refused.

Source: Tencent Hunyuan Team 2026, Hy4; ``hy-v4.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ExpertsAndShared, SharedExpert
from rushlight.models.latent_attention import LatentAttention, LatentSizes, read_absorbed
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.maple import LimitedExperts, read_limits
from rushlight.models.weights import Weights


class StreamConfig(NamedTuple):
    """``hyper_connection.*``: streams (S), epsilon and magnitude."""

    n_stream: int
    eps: float
    magnitude: float


class Connection:
    """How a part of a layer reads the streams and writes to them; the last of all only reads.

    Args:
        weights: of the file.
        config: hyper-parameters.
        streams: those of the streams.
        name: of the tensors.
        writes: whether there is an output to write.
    """

    def __init__(
        self, weights: Weights, config: Config, streams: StreamConfig, name: str, writes: bool = True
    ) -> None:
        n, n_kinds = streams.n_stream, 2 if writes else 1
        self._n, self._n_embd, self._norm_eps = n, config.n_embd, config.norm_eps
        self._fn = weights.linear(f"{name}_fn", n_kinds * n, n * config.n_embd)
        self._scale = weights.repeated(f"{name}_scale.weight", n_kinds, n)
        self._base = weights.vector(f"{name}_base.weight", n_kinds * n)
        self._magnitude = weights.numbers([1.0] * n + [streams.magnitude] * n * (n_kinds - 1))
        self._eps = weights.constant(streams.eps, n_kinds * n)

    def factors(self, ops: Ops, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each stream is read with, and what the output is multiplied by for each, if there is one."""
        made = self._fn(ops, ops.rms_norm(x, None, self._norm_eps))
        made = ops.sigmoid(ops.add(ops.multiply(made, self._scale), self._base))
        made = ops.add(ops.multiply(made, self._magnitude), self._eps)
        return made.columns(0, self._n), made.columns(made.n_columns - self._n, made.n_columns)

    def read(self, ops: Ops, x: Tensor, factors: Tensor) -> Tensor:
        """The sum of the streams [rows, S * E], each times its factor: [rows, E]."""
        scaled, n_embd = ops.scale_rows(x, factors), self._n_embd
        total = scaled.columns(0, n_embd)
        for i in range(1, self._n):
            total = ops.add(total, scaled.columns(i * n_embd, (i + 1) * n_embd))
        return total

    def write(self, ops: Ops, x: Tensor, output: Tensor, factors: Tensor) -> Tensor:
        """The streams, to each of which the output times its factor was added."""
        return ops.add(x, ops.scale_rows(in_streams(ops, output, self._n), factors))


def in_streams(ops: Ops, x: Tensor, n_stream: int) -> Tensor:
    """The same rows in every stream: [rows, S * E]."""
    together = x
    for _ in range(1, n_stream):
        together = ops.join_heads(together, x, 1)
    return together


class Block:
    """The weights of one layer."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        streams: StreamConfig,
        sizes: LatentSizes,
        name: str,
        ffn: Part,
    ) -> None:
        n_embd, eps, n_attended = config.n_embd, config.norm_eps, sizes.n_head * sizes.n_value
        self.hc_attn = Connection(weights, config, streams, f"{name}.hc_attn")
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attention = LatentAttention(weights, config, sizes, name)
        self.attn_sinks = weights.vector(f"{name}.attn_sinks.weight", sizes.n_head)
        self.attn_gate = weights.linear(f"{name}.attn_gate", n_attended, n_embd)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_attended)
        self.hc_ffn = Connection(weights, config, streams, f"{name}.hc_ffn")
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn = ffn


class Model(Decoder):
    """A model of the hy_v4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        accounts.expect("attention.indexer.top_k", 0, "attention to chosen positions is not implemented here")
        accounts.ignore("attention.indexer.*", "no position is left out")
        config = read_config(accounts, "hy_v4", experts=True)
        n_layer, sizes, streams = config.n_layer, read_absorbed(accounts, config), _read_streams(accounts)
        experts = read_deepseek_experts(accounts, n_layer, "sigmoid")
        limits = read_limits(accounts, "swiglu_clamp_exp", n_layer)
        weights, self.n_stream = Weights(accounts, backend), streams.n_stream
        super().__init__(config, weights, n_ctx, [0] * n_layer)
        self.rope = self.rope_table(interleaved=True)
        self.attention_scale = 1 / math.sqrt(sizes.n_key)
        self.blocks = [
            Block(
                weights, config, streams, sizes, f"blk.{i}", _network(weights, config, experts, i, limits[i])
            )
            for i in range(n_layer)
        ]
        self.hc_output = Connection(weights, config, streams, "output_hc", writes=False)
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = in_streams(ops, ops.embed(self.token_embd), self.n_stream)
        for i, block in enumerate(self.blocks):
            reading, writing = block.hc_attn.factors(ops, x)
            normed = block.attn_norm(ops, block.hc_attn.read(ops, x, reading))
            attended = block.attention(
                ops, normed, i, self.rope, self.attention_scale, sinks=block.attn_sinks
            )
            attended = ops.multiply(attended, ops.sigmoid(block.attn_gate(ops, normed)))
            if block is self.blocks[-1]:
                x, attended, writing = ops.outputs(x), ops.outputs(attended), ops.outputs(writing)
            x = block.hc_attn.write(ops, x, block.attn_output(ops, attended), writing)
            reading, writing = block.hc_ffn.factors(ops, x)
            made = block.ffn(ops, block.ffn_norm(ops, block.hc_ffn.read(ops, x, reading)))
            x = block.hc_ffn.write(ops, x, made, writing)
        reading, _ = self.hc_output.factors(ops, x)
        return self.output(ops, self.output_norm(ops, self.hc_output.read(ops, x, reading)))


def _network(weights: Weights, config: Config, experts: ExpertConfig, layer: int, limit: float) -> Part:
    name = f"blk.{layer}"
    if layer < experts.n_layer_dense_lead:
        return SwiGLU(weights, config, name)
    chosen = LimitedExperts(weights, config, experts, name, limit)
    return ExpertsAndShared(chosen, SharedExpert(weights, config.n_embd, experts.n_ff_shared, name))


def _read_streams(accounts: Accounting) -> StreamConfig:
    return StreamConfig(
        n_stream=accounts.get_int("hyper_connection.count", min=1, max=1 << 8),
        eps=accounts.get_float("hyper_connection.epsilon", min=0.0),
        magnitude=accounts.get_float("hyper_connection.magnitude"),
    )
