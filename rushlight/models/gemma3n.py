"""Gemma 3n, text: E2B and E4B.

Beside a gemma block with second norms (see `rushlight.models.gemma2`; norms scale by their weight alone):

- AltUp: the residual is ``altup.num_inputs`` streams, made of the embedding by ``altup_proj`` and brought to
  its length. Each layer predicts all of them, as sums of all weighted by a small router, works on the first
  alone, and corrects all by what came out of it, weighted by the router again. At the end the streams come
  back through ``altup_unembd_proj`` and are averaged.
- LAuReL: beside attention, the normed input goes through two narrow matrices and a norm. Its sum with the
  residual is scaled by 1 / sqrt(2).
- The gate of the first layers passes only what exceeds its mean by ``activation_sparsity_scale`` standard
  deviations. Without the key, as in files of old converters: by the 95 % quantile, in the first 10 layers.
- Every layer has an embedding of the token of its own (see `rushlight.models.gemma4`); what it gives is added
  to all streams but the first.
- Each query head and each key head goes through an RMS norm of its own width before RoPE (NeoX halves), each
  value head through one without weights. Scores are not scaled.
- Of every five layers, four see only ``attention.sliding_window`` positions and turn with the base 10,000;
  the fifth sees all. The last ``attention.shared_kv_layers`` layers read the keys and values of the last
  layer of their kind that has its own; all but the first 20 in files without the key.
- Logits go through a soft cap (30 without ``final_logit_softcapping``). The output head is the embedding.

Source: Google 2025, Gemma 3n; Baykal et al. 2023, "Alternating Updates for Efficient Transformers"; Menghani
et al. 2024, "LAuReL"; ``gemma3n.cpp`` in llama.cpp's ``src/models``; ``modeling_gemma3n.py`` in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_window_freq_base, read_window_layers
from rushlight.models.decoder import Decoder
from rushlight.models.gemma4 import KeysValues, PerLayerInputs, kv_of
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights

_LAYERS_WITH_KV = 20
_SPARSE_LAYERS, _QUANTILE_95 = 10, 1.6448533535003662


class AltUp:
    """The router of a layer's streams: `n` of them."""

    def __init__(self, weights: Weights, config: Config, name: str, n: int) -> None:
        self._n, self._n_embd = n, config.n_embd
        self._norm = RmsNorm(weights, f"{name}.altup_router_norm", config.n_embd, config.norm_eps)
        self._router = weights.linear(f"{name}.altup_router", n, config.n_embd)
        self._predict = weights.linear(f"{name}.altup_predict_coef", n * n, n)
        self._correct = weights.linear(f"{name}.altup_correct_coef", n, n)

    def _modalities(self, ops: Ops, x: Tensor) -> Tensor:
        routed = self._router(ops, ops.scale(self._norm(ops, x), 1 / self._n_embd))
        return ops.softcap(routed, 1.0)

    def predict(self, ops: Ops, streams: Sequence[Tensor]) -> list[Tensor]:
        """Each stream and its sum of all of them."""
        weights = self._predict(ops, self._modalities(ops, streams[0]))
        predictions = []
        for j, own in enumerate(streams):
            total = own
            for i, stream in enumerate(streams):
                column = self._n * j + i
                total = ops.add(total, ops.scale_rows(stream, weights.columns(column, column + 1)))
            predictions.append(total)
        return predictions

    def correct(self, ops: Ops, predictions: Sequence[Tensor], activated: Tensor) -> list[Tensor]:
        """Each prediction and its share, 1 and more or less, of what the layer found beyond the first."""
        weights = self._correct(ops, self._modalities(ops, activated))
        found = ops.add(activated, ops.scale(predictions[0], -1.0))
        return [
            ops.add(ops.add(own, found), ops.scale_rows(found, weights.columns(j, j + 1)))
            for j, own in enumerate(predictions)
        ]


class Block:
    """The weights of one layer.

    Args:
        weights: of the file.
        config: hyper-parameters.
        name: of the layer.
        n_streams: streams of the residual.
        width: columns of its own embedding.
        has_kv: whether it has keys and values of its own.
        n_std: standard deviations that its gate must exceed; None: it passes everything.
    """

    def __init__(
        self,
        weights: Weights,
        config: Config,
        name: str,
        n_streams: int,
        width: int,
        has_kv: bool,
        n_std: float | None,
    ) -> None:
        n_embd, head_dim, n_ff, eps = config.n_embd, config.n_embd_head_k, config.n_ff, config.norm_eps
        n_q, n_kv = config.n_head * head_dim, config.n_head_kv * head_dim
        rank = weights.rows(f"{name}.laurel_l.weight")
        self.has_kv, self.n_std = has_kv, n_std
        self.altup = AltUp(weights, config, name, n_streams)
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.laurel_l = weights.linear(f"{name}.laurel_l", rank, n_embd)
        self.laurel_r = weights.linear(f"{name}.laurel_r", n_embd, rank)
        self.laurel_post_norm = RmsNorm(weights, f"{name}.laurel_post_norm", n_embd, eps)
        self.attn_q = weights.linear(f"{name}.attn_q", n_q, n_embd)
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", head_dim, eps)
        if has_kv:
            self.attn_k = weights.linear(f"{name}.attn_k", n_kv, n_embd)
            self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", head_dim, eps)
            self.attn_v = weights.linear(f"{name}.attn_v", n_kv, n_embd)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_q)
        self.post_attention_norm = RmsNorm(weights, f"{name}.post_attention_norm", n_embd, eps)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn_gate_up = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)
        self.post_ffw_norm = RmsNorm(weights, f"{name}.post_ffw_norm", n_embd, eps)
        self.altup_correct_scale = weights.vector(f"{name}.altup_correct_scale.weight", n_embd)
        self.inp_gate = weights.linear(f"{name}.inp_gate", width, n_embd)
        self.proj = weights.linear(f"{name}.proj", n_embd, width)
        self.post_norm = RmsNorm(weights, f"{name}.post_norm", n_embd, eps)

    def keys_values(self, ops: Ops, normed: Tensor, rope: RopeTable, config: Config) -> KeysValues:
        """Keys and values as they are kept."""
        k = ops.rope(self.attn_k_norm(ops, self.attn_k(ops, normed)), rope, config.n_head_kv)
        return k, ops.rms_norm(self.attn_v(ops, normed), None, config.norm_eps, config.n_head_kv)

    def laurel(self, ops: Ops, normed: Tensor) -> Tensor:
        """The narrow branch beside attention."""
        return ops.add(normed, self.laurel_post_norm(ops, self.laurel_r(ops, self.laurel_l(ops, normed))))

    def ffn(self, ops: Ops, x: Tensor) -> Tensor:
        """GeGLU, in some layers of a sparse gate."""
        gate, up = self.ffn_gate_up(ops, self.ffn_norm(ops, x))
        if self.n_std is not None:
            gate = ops.sparsify(gate, self.n_std)
        return self.post_ffw_norm(ops, self.ffn_down(ops, ops.gelu_mul(gate, up)))

    def own_embedding(self, ops: Ops, x: Tensor, own: Tensor) -> Tensor:
        """What the layer's own embedding adds to the streams, for the first of them."""
        scaled = ops.multiply(x, self.altup_correct_scale)
        return self.post_norm(ops, self.proj(ops, ops.gelu_mul(self.inp_gate(ops, scaled), own)))


class Model(Decoder):
    """A model of the gemma3n architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        n_streams = accounts.get_int("altup.num_inputs", 4, min=2, max=64)
        accounts.expect("altup.active_idx", 0, "only the first stream can be worked on")
        width = accounts.get_int("embedding_length_per_layer_input", 256, min=1, max=1 << 16)
        local_base = read_window_freq_base(accounts, 10000.0)
        self.softcap = accounts.get_float("final_logit_softcapping", 30.0, min=1e-3)
        config = read_config(accounts, "gemma3n", n_swa=n_swa)
        n_layer = config.n_layer
        n_shared = accounts.get_int(
            "attention.shared_kv_layers", max(n_layer - _LAYERS_WITH_KV, 0), min=0, max=n_layer
        )
        n_kv = n_layer - n_shared
        self.is_local = read_window_layers(accounts, n_layer, period=5)
        self.kv_of = kv_of("gemma3n", self.is_local, n_shared)
        for i in range(n_kv, n_layer):
            for name in ("attn_k", "attn_v", "attn_k_norm"):
                accounts.ignore_tensor(f"blk.{i}.{name}.weight", "the layer reads an earlier layer's")
        weights = Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local[:n_kv]])
        self.global_rope = self.rope_table(interleaved=False)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=False)
        self.inputs = PerLayerInputs(weights, config, self.n_vocab, width)
        self.altup_proj = weights.stack("altup_proj", n_streams - 1, config.n_embd, config.n_embd)
        self.blocks = [
            Block(weights, config, f"blk.{i}", n_streams, width, i < n_kv, n_std)
            for i, n_std in enumerate(_sparsity(accounts, n_layer))
        ]
        self.altup_unembd = weights.stack("altup_unembd_proj", n_streams - 1, config.n_embd, config.n_embd)
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        config = self.config
        x = ops.embed(self.token_embd, math.sqrt(self.n_embd))
        inputs = self.inputs(ops, x)
        streams = [x, *(ops.match_magnitude(proj(ops, x), x) for proj in self.altup_proj)]
        kept: dict[int, KeysValues] = {}
        for i, block in enumerate(self.blocks):
            rope = self.local_rope if self.is_local[i] else self.global_rope
            predictions = block.altup.predict(ops, streams)
            normed = block.attn_norm(ops, predictions[0])
            q = ops.rope(block.attn_q_norm(ops, block.attn_q(ops, normed)), rope, config.n_head)
            if block.has_kv:
                kept[i] = block.keys_values(ops, normed, rope, config)
            # What an earlier layer keeps is stored again, in the same place: the op reads what it stores.
            attended = ops.attention(q, *kept[self.kv_of[i]], self.kv_of[i], 1.0)
            x = block.post_attention_norm(ops, block.attn_output(ops, attended))
            x = ops.add(ops.add(x, predictions[0]), block.laurel(ops, normed))
            x = ops.scale(x, 1 / math.sqrt(2))
            streams = block.altup.correct(ops, predictions, ops.add(x, block.ffn(ops, x)))
            own = block.own_embedding(ops, streams[0], inputs[i])
            streams = [streams[0], *(ops.add(stream, own) for stream in streams[1:])]
        return self._logits(ops, [ops.outputs(stream) for stream in streams])

    def _logits(self, ops: Ops, streams: list[Tensor]) -> Tensor:
        total = streams[0]
        for proj, stream in zip(self.altup_unembd, streams[1:], strict=True):
            total = ops.add(total, ops.match_magnitude(proj(ops, stream), streams[0]))
        x = self.output_norm(ops, ops.scale(total, 1 / len(streams)))
        return ops.softcap(self.output(ops, x), self.softcap)


def _sparsity(accounts: Accounting, n_layer: int) -> list[float | None]:
    """For each layer the standard deviations that its gate must exceed, None where it passes everything.

    Converters write the normal distribution's quantile of the share that is dropped: minus infinity of 0.
    """
    written = accounts.get_array("activation_sparsity_scale", None, length=n_layer)
    if written is None:
        return [_QUANTILE_95 if i < _SPARSE_LAYERS else None for i in range(n_layer)]
    if not isinstance(written, np.ndarray) or written.dtype.kind != "f" or not np.all(written < np.inf):
        raise InvalidFile("Metadata gemma3n.activation_sparsity_scale must hold a number for each layer.")
    return [None if math.isinf(n_std) else float(n_std) for n_std in written.tolist()]
