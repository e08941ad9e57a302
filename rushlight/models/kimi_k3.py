"""Kimi K3, its text model.

The layers of Kimi Linear (see `rushlight.models.kimi_linear`), with these differences:

- Residuals are mixed over layers (``attn_res.block_size``, 0: they are not). At every so many layers, from
  the first on, the residual is put aside, and the layer's attention begins a new one. What goes into a norm
  in front of a mixer or network, or the last norm, is not the residual alone, but the sum of all that were
  put aside and of it, each times its share: the softmax over their scores, which are the products of each
  one's RMS norm with ``attn_res_score``, ``ffn_res_score`` or ``output_res_score``.
- Kimi delta attention has one matrix for its gate (``ssm_g``), and where the file has
  ``kda.gate_lower_bound`` logarithms of decays are bounded by it (see `rushlight.models.kda`).
- Queries of latent attention come by way of ``attention.q_lora_rank`` columns where the file has that, and
  what the heads attend to is multiplied by the sigmoid of ``attn_gate``, if there is one.
- All networks are ``down(situ(gate(x)) * b * tanh(up(x) / b))``, with
  ``situ(x) = a * tanh(x / a) * sigmoid(x)``; a is ``activation.situ_beta`` and b
  ``activation.situ_linear_beta``, 0: up is as it is.
- Experts work on ``expert_latent_length`` columns, which ``ffn_routed_down`` makes of the input; their sum
  goes through an RMS norm (``ffn_routed_norm``, if there is one) and ``ffn_routed_up``. Router and shared
  experts see the whole input.

Old files, whose keys and values are one ``attn_kv_b``, are refused.

Source: Kimi Team 2026, Kimi K3; ``kimi-k3.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rushlight.backends.base import Backend, Ops, Tensor, Weight
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import SharedExpert, SwiGLUExperts
from rushlight.models.kda import Bound, KdaSizes, KimiDeltaAttention, read_kda
from rushlight.models.latent_attention import LatentAttention, LatentSizes, keeping_latent, read_absorbed
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights


class Situ(NamedTuple):
    """The activation of all networks: ``activation.situ_beta`` and ``activation.situ_linear_beta``."""

    beta: float
    linear_beta: float

    def __call__(self, ops: Ops, gate: Tensor, up: Tensor) -> Tensor:
        """What goes into the last matrix."""
        active = ops.multiply(ops.softcap(gate, self.beta), ops.sigmoid(gate))
        return ops.multiply(active, ops.softcap(up, self.linear_beta) if self.linear_beta else up)


class SituNetwork:
    """A network with that activation, or a shared expert."""

    def __init__(self, network: SwiGLU, situ: Situ) -> None:
        self._gate_up, self._down, self._situ = network._gate_up, network._down, situ

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        return self._down(ops, self._situ(ops, *self._gate_up(ops, x)))


class LatentExperts(SwiGLUExperts):
    """The mixture of a layer, and its shared experts."""

    def __init__(
        self, weights: Weights, config: Config, experts: ExpertConfig, n_latent: int, situ: Situ, name: str
    ) -> None:
        n_embd, self._situ = config.n_embd, situ
        super().__init__(weights, config, experts, name, n_inner=n_latent)
        self._into = weights.linear(f"{name}.ffn_routed_down", n_latent, n_embd) if n_latent else None
        self._back = weights.linear(f"{name}.ffn_routed_up", n_embd, n_latent) if n_latent else None
        self._norm: RmsNorm | None = None
        if n_latent and weights.has(f"{name}.ffn_routed_norm.weight"):
            self._norm = RmsNorm(weights, f"{name}.ffn_routed_norm", n_latent, config.norm_eps)
        self._shared: Part | None = None
        if weights.has(f"{name}.ffn_gate_shexp.weight"):
            n_ff = experts.n_ff_shared or experts.n_ff
            self._shared = SituNetwork(SharedExpert(weights, n_embd, n_ff, name), situ)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The sum of both."""
        routes = ops.route(self._router(ops, x), self._routing, self._selection_bias)
        inner = x if self._into is None else self._into(ops, x)
        gated = self._situ(ops, self._gate(ops, inner, routes), self._up(ops, inner, routes))
        y = ops.combine(self._down(ops, gated, routes), routes)
        y = y if self._norm is None else self._norm(ops, y)
        y = y if self._back is None else self._back(ops, y)
        return y if self._shared is None else ops.add(y, self._shared(ops, x))


class Residual(NamedTuple):
    """A residual that was put aside, and its RMS norm."""

    x: Tensor
    normed: Tensor


class Residuals:
    """Those of a step so far."""

    def __init__(self, ops: Ops, eps: float) -> None:
        self._ops, self._eps = ops, eps
        self._kept: list[Residual] = []

    def keep(self, x: Tensor) -> None:
        """Put one aside."""
        self._kept.append(Residual(x, self._ops.rms_norm(x, None, self._eps)))

    def only_outputs(self) -> None:
        """Go on with the rows of the output tokens alone."""
        self._kept = [Residual(*map(self._ops.outputs, each)) for each in self._kept]

    def mixed(self, x: Tensor, score: Weight | None) -> Tensor:
        """What goes into a norm, x being the residual."""
        if score is None or not self._kept:
            return x
        ops = self._ops
        parts = [*self._kept, Residual(x, ops.rms_norm(x, None, self._eps))]
        scores = ops.linear(parts[0].normed, score)
        for part in parts[1:]:
            scores = ops.join_heads(scores, ops.linear(part.normed, score), 1)
        shares = ops.softmax(scores)
        y = ops.scale_rows(parts[0].x, shares.columns(0, 1))
        for i, part in enumerate(parts[1:], 1):
            y = ops.add(y, ops.scale_rows(part.x, shares.columns(i, i + 1)))
        return y


class Block:
    """The weights of one layer; `n_head_kv` is 0 where it has Kimi delta attention."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: tuple[KdaSizes, Bound | None, LatentSizes],
        n_head_kv: int,
        name: str,
        ffn: Part,
        scored: bool,
    ) -> None:
        n_embd, (kda, bound, latent) = config.n_embd, sizes
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attn_res_score = weights.row(f"{name}.attn_res_score.weight", n_embd) if scored else None
        self.mixer: KimiDeltaAttention | LatentAttention
        self.gate = None
        if n_head_kv:
            self.mixer = LatentAttention(weights, config, latent, name)
            n_mixed = latent.n_head * latent.n_value
            if weights.has(f"{name}.attn_gate.weight"):
                self.gate = weights.linear(f"{name}.attn_gate", n_mixed, n_embd)
        else:
            self.mixer = KimiDeltaAttention(weights, config, kda, name, bound)
            n_mixed = kda.n_inner
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_mixed)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn_res_score = weights.row(f"{name}.ffn_res_score.weight", n_embd) if scored else None
        self.ffn = ffn


class Model(Decoder):
    """A model of the kimi-k3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        heads = read_heads(accounts)
        config = read_config(accounts, "kimi-k3", n_head_kv=max(heads), experts=True)
        config, n_layer = keeping_latent(accounts, config), config.n_layer
        experts = read_deepseek_experts(accounts, n_layer, "sigmoid")
        n_latent = accounts.get_int("expert_latent_length", 0, min=0, max=1 << 24)
        situ, self.res_block_size = _read_situ(accounts), accounts.get_int("attn_res.block_size", min=0)
        sizes = read_kda(accounts, config), _read_bound(accounts), read_absorbed(accounts, config)
        weights, scored = Weights(accounts, backend), self.res_block_size > 0
        super().__init__(config, weights, n_ctx, [0 if n else sizes[0].cache for n in heads])
        self.attention_scale = 1 / math.sqrt(sizes[2].n_key)

        def ffn(i: int) -> Part:
            if i < experts.n_layer_dense_lead:
                return SituNetwork(SwiGLU(weights, config, f"blk.{i}"), situ)
            return LatentExperts(weights, config, experts, n_latent, situ, f"blk.{i}")

        self.blocks = [
            Block(weights, config, sizes, n, f"blk.{i}", ffn(i), scored) for i, n in enumerate(heads)
        ]
        self.output_res_score = weights.row("output_res_score.weight", config.n_embd) if scored else None
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x, kept = ops.embed(self.token_embd), Residuals(ops, self.config.norm_eps)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, kept.mixed(x, block.attn_res_score))
            begins_anew = self.res_block_size > 0 and i % self.res_block_size == 0
            if begins_anew:
                kept.keep(x)
            if isinstance(block.mixer, LatentAttention):
                mixed = block.mixer(ops, normed, i, None, self.attention_scale)
            else:
                mixed = block.mixer(ops, normed, i)
            if block.gate is not None:
                mixed = ops.multiply(mixed, ops.sigmoid(block.gate(ops, normed)))
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
                kept.only_outputs()
            mixed = block.attn_output(ops, mixed)
            x = mixed if begins_anew else ops.add(x, mixed)
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, kept.mixed(x, block.ffn_res_score))))
        return self.output(ops, self.output_norm(ops, kept.mixed(x, self.output_res_score)))


def _read_situ(accounts: Accounting) -> Situ:
    beta = accounts.get_float("activation.situ_beta", min=0.0)
    if not beta:
        raise InvalidFile("Metadata activation.situ_beta is 0; expected a positive number.")
    return Situ(beta, max(0.0, accounts.get_float("activation.situ_linear_beta")))


def _read_bound(accounts: Accounting) -> Bound | None:
    least = accounts.get_float("kda.gate_lower_bound", None)
    return None if least is None else Bound(least, sign=-1.0)
