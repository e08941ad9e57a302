"""Gemma 4, text: E2B, E4B, 26B-A4B and 31B.

Beside a gemma block with second norms (see `rushlight.models.gemma2`, which caps the logits too; here norms
scale by their weight alone):

- ``attention.sliding_window_pattern`` tells windowed from full layers. They differ: in the width of heads
  (``attention.key_length_swa``, ``attention.key_length``) and, as a list for each layer, in the number of
  key-value heads; ``feed_forward_length`` may differ by layer as well.
- Each query head and each key head goes through an RMS norm of its own width before RoPE (NeoX halves); each
  value head through one without weights. A layer without ``attn_v`` takes its keys, as they are before norm
  and RoPE, for values. Scores are not scaled.
- Windowed layers turn with the base ``rope.freq_base_swa``. Full layers divide the frequencies by
  ``rope_freqs.weight``, which holds 1 for the first quarter and so much for the rest that it stays unturned.
- The last ``attention.shared_kv_layers`` layers have no keys and values: they read those of the last layer
  of their own kind that has.
- E2B and E4B: every layer has an embedding of the token of its own, ``per_layer_token_embd``, with
  ``embedding_length_per_layer_input`` columns. It is joined with a projection of the first embedding, gated
  by the residual, projected, normed and added at the end of the layer.
- Then the residual is multiplied by ``layer_output_scale``, one number.
- 26B-A4B: layers have experts beside their feed-forward network (see `rushlight.models.gemma4_experts`).

Source: Gemma Team 2026, Gemma 4; ``gemma4.cpp`` in llama.cpp's ``src/models``; ``modeling_gemma4.py`` in
transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_expert_ff, read_experts
from rushlight.models.gemma4_experts import normed_ffn
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights

KeysValues = tuple[Tensor, Tensor]


class PerLayerInputs:
    """The embeddings that every layer has of its own, of `width` columns each.

    Args:
        weights: of the file.
        config: hyper-parameters.
        n_vocab: rows of the embedding (V).
        width: columns for each layer (P).
    """

    def __init__(self, weights: Weights, config: Config, n_vocab: int, width: int) -> None:
        n_columns = config.n_layer * width
        self._width, self._n_embd = width, config.n_embd
        self._table = weights.table("per_layer_token_embd.weight", n_vocab, n_columns)
        self._projection = weights.linear("per_layer_model_proj", n_columns, config.n_embd)
        self._norm = RmsNorm(weights, "per_layer_proj_norm", width, config.norm_eps)

    def __call__(self, ops: Ops, x: Tensor) -> list[Tensor]:
        """The input [T, P] of each layer, for the embedding x [T, E]."""
        projected = ops.scale(self._projection(ops, x), 1 / math.sqrt(self._n_embd))
        own = ops.embed(self._table, math.sqrt(self._width))
        both = ops.scale(ops.add(self._norm(ops, projected), own), 1 / math.sqrt(2))
        return [both.columns(i, i + self._width) for i in range(0, both.n_columns, self._width)]


class Block:
    """The weights of one layer.

    Args:
        weights: of the file.
        config: hyper-parameters, those of this layer among them.
        name: of the layer.
        has_kv: whether it has keys and values of its own.
        width: columns of its own embedding; 0: it has none.
        experts: those of layers that have some; None: no layer has.
    """

    def __init__(
        self,
        weights: Weights,
        config: Config,
        name: str,
        has_kv: bool,
        width: int,
        experts: ExpertConfig | None,
    ) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        head_dim, n_kv = config.n_embd_head_k, config.n_head_kv * config.n_embd_head_k
        self.config, self.has_kv = config, has_kv
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_q = weights.linear(f"{name}.attn_q", config.n_head * head_dim, n_embd)
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", head_dim, eps)
        if has_kv:
            self.attn_k = weights.linear(f"{name}.attn_k", n_kv, n_embd)
            self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", head_dim, eps)
            has_v = weights.has(f"{name}.attn_v.weight")
            self.attn_v = weights.linear(f"{name}.attn_v", n_kv, n_embd) if has_v else None
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * head_dim)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn = normed_ffn(weights, config, experts, name)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)
        if width:
            self.inp_gate = weights.linear(f"{name}.inp_gate", width, n_embd)
            self.proj = weights.linear(f"{name}.proj", n_embd, width)
            self.post_norm = RmsNorm(weights, f"{name}.post_norm", n_embd, eps)
        self.output_scale = weights.number(f"{name}.layer_output_scale.weight", 1.0)

    def keys_values(self, ops: Ops, normed: Tensor, rope: RopeTable) -> KeysValues:
        """Keys and values as they are kept."""
        n_head_kv = self.config.n_head_kv
        raw = self.attn_k(ops, normed)
        v = raw if self.attn_v is None else self.attn_v(ops, normed)
        k = ops.rope(self.attn_k_norm(ops, raw), rope, n_head_kv)
        return k, ops.rms_norm(v, None, self.config.norm_eps, n_head_kv)

    def add_own_embedding(self, ops: Ops, x: Tensor, own: Tensor) -> Tensor:
        """The residual and what the layer's own embedding adds to it."""
        gated = ops.gelu_mul(self.inp_gate(ops, x), own)
        return ops.add(x, self.post_norm(ops, self.proj(ops, gated)))


class Model(Decoder):
    """A model of the gemma4 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        n_shared = accounts.get_int("attention.shared_kv_layers", 0, min=0)
        self.width = accounts.get_int("embedding_length_per_layer_input", min=0, max=1 << 16)
        self.softcap = accounts.get_float("final_logit_softcapping", 0.0, min=0.0)
        has_experts = accounts.get_int("expert_count", 0, min=0) > 0
        config = read_config(accounts, "gemma4", n_swa=n_swa, by_layer=True, experts=has_experts)
        experts = None
        if has_experts:
            n_ff = read_expert_ff(accounts, config.n_layer)
            experts = read_experts(accounts, config.n_layer, n_ff)
        else:
            accounts.expect("expert_feed_forward_length", 0, "the model has no experts")
        self.is_local = read_window_layers(accounts, config.n_layer, period=6)
        self.kv_of = kv_of("gemma4", self.is_local, n_shared)
        configs = _layer_configs(accounts, config, self.is_local)
        for i in range(config.n_layer - n_shared, config.n_layer):
            for name in ("attn_k", "attn_v", "attn_k_norm"):
                accounts.ignore_tensor(f"blk.{i}.{name}.weight", "the layer reads an earlier layer's")
        weights = Weights(accounts, backend)
        with_kv = list(zip(configs, self.is_local, strict=True))[: config.n_layer - n_shared]
        windows = [n_swa if local else 0 for _, local in with_kv]
        super().__init__(config, weights, n_ctx, windows, [own for own, _ in with_kv])
        self.global_rope = self.rope_table(False, weights.rope_freqs(config.n_rot, optional=False))
        local_base = read_window_freq_base(accounts, config.rope_freq_base)
        local_rot = configs[self.is_local.index(True)].n_rot if any(self.is_local) else config.n_rot
        self.local_rope = rope_table(self.n_ctx, local_rot, local_base, interleaved=False)
        self.inputs = PerLayerInputs(weights, config, self.n_vocab, self.width) if self.width else None
        self.blocks = [
            Block(weights, own, f"blk.{i}", i < config.n_layer - n_shared, self.width, experts)
            for i, own in enumerate(configs)
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd, math.sqrt(self.n_embd))
        inputs = self.inputs(ops, x) if self.inputs is not None else []
        kept: dict[int, KeysValues] = {}
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            normed = block.attn_norm(ops, x)
            q = block.attn_q_norm(ops, block.attn_q(ops, normed))
            q = ops.rope(q, rope, block.config.n_head)
            if block.has_kv:
                kept[i] = block.keys_values(ops, normed, rope)
            # What an earlier layer keeps is stored again, in the same place: the op reads what it stores.
            attended = ops.attention(q, *kept[self.kv_of[i]], self.kv_of[i], 1.0)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
                inputs = [ops.outputs(own) if own is inputs[-1] else own for own in inputs]
            x = ops.add(x, block.post_attention_norm(ops, block.attn_output(ops, attended)))
            x = ops.add(x, block.post_ffw_norm(ops, block.ffn(ops, x)))
            if inputs:
                x = block.add_own_embedding(ops, x, inputs[i])
            x = ops.scale(x, block.output_scale)
        logits = self.output(ops, self.output_norm(ops, x))
        return ops.softcap(logits, self.softcap) if self.softcap else logits


def kv_of(arch: str, is_local: tuple[bool, ...], n_shared: int) -> list[int]:
    """The layer whose keys and values each layer reads: of the last `n_shared`, the last own one of its kind.

    Raises:
        InvalidFile: the layers before those are not a windowed one and a full one.
    """
    n_kv = len(is_local) - n_shared
    if n_shared == 0:
        return list(range(n_kv))
    if n_kv < 2 or not is_local[n_kv - 2] or is_local[n_kv - 1]:
        raise InvalidFile(
            f"{arch}.attention.shared_kv_layers is {n_shared}; expected that a windowed and a full layer "
            "come before these."
        )
    return [*range(n_kv), *(n_kv - 2 if local else n_kv - 1 for local in is_local[n_kv:])]


def _layer_configs(accounts: Accounting, config: Config, is_local: tuple[bool, ...]) -> list[Config]:
    """The hyper-parameters of each layer."""
    n = config.n_layer
    local_dim = accounts.get_int("attention.key_length_swa", config.n_embd_head_k, min=2, max=1 << 16)
    local_dim_v = accounts.get_int("attention.value_length_swa", config.n_embd_head_v, min=2, max=1 << 16)
    if (config.n_embd_head_k, local_dim) != (config.n_embd_head_v, local_dim_v):
        raise InvalidFile(
            "The value heads of gemma4 are as wide as its key heads; those of the file are not."
        )
    local_rot = accounts.get_int("rope.dimension_count_swa", local_dim, min=2, max=local_dim)
    n_head_kv = accounts.get_int_or_array("attention.head_count_kv", n, (config.n_head,) * n, min=1)
    n_ff = accounts.get_int_or_array("feed_forward_length", n, min=1, max=1 << 24)
    own = []
    for local, kv, ff in zip(is_local, n_head_kv, n_ff, strict=True):
        if config.n_head % kv:
            raise InvalidFile(f"{config.n_head} query heads cannot share {kv} key-value heads evenly.")
        sized = config._replace(n_head_kv=kv, n_ff=ff)
        if local:
            sized = sized._replace(n_embd_head_k=local_dim, n_embd_head_v=local_dim, n_rot=local_rot)
        own.append(sized)
    return own
