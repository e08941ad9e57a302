"""dots3-note, text.

The layers are an RMS norm and latent attention, an RMS norm and a feed-forward network, as in deepseek2 (see
`rushlight.models.deepseek2`), all with queries from a short vector and the short vectors in the cache:

- Layers for which ``attention.sliding_window_pattern`` is true see ``attention.sliding_window`` positions.
  They have heads, keys and values of other sizes (``attention.head_count`` of each layer, metadata that ends
  with ``_swa``) and RoPE of another base (``rope.freq_base_swa``). The others have sparse attention, with an
  indexer as in deepseek32 (see `rushlight.models.indexer`).
- The part of a key that RoPE turns, which all heads share, goes through an RMS norm of its own first
  (``attn_k_norm``).
- What each head attends to is multiplied by the sigmoid of its own number (``attn_gate``).
- All layers but the first ``leading_dense_block_count`` are mixtures of experts, routed by a sigmoid as in
  DeepSeek-V3.
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

RoPE turns neighbouring columns in the indexer too, as transformers has it. llama.cpp turns column i with
column i + half there, and so chooses other positions once there are more than ``attention.indexer.top_k``.
Images and sound are not supported.

Source: ``modeling_dots3_note.py`` in transformers; ``dots3note.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_heads_by_layer
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.indexer import Indexer, IndexerConfig, read_indexer
from rushlight.models.latent_attention import LatentAttention, LatentSizes
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import rope_table
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer."""

    indexer: Indexer | None = None

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: LatentSizes,
        experts: ExpertConfig,
        layer: int,
        indexer: IndexerConfig,
    ) -> None:
        name, n_embd = f"blk.{layer}", config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attention = LatentAttention(weights, config, sizes, name, k_norm=True)
        self.attention_scale = 1 / math.sqrt(sizes.n_key)
        self.attn_gate = weights.linear(f"{name}.attn_gate", sizes.n_head, n_embd)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, sizes.n_head * sizes.n_value)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn_of(weights, config, experts, layer)
        if indexer.own[layer]:
            cache = config.n_layer + sum(indexer.own[:layer])
            self.indexer = Indexer(weights, config, indexer, sizes.n_lora_q, name, cache)


class Model(Decoder):
    """A model of the dots3note architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        n_swa = accounts.get_int("attention.sliding_window", min=1)
        heads = [n_head for n_head, _ in read_heads_by_layer(accounts)]
        config = read_config(
            accounts,
            "dots3note",
            n_swa=n_swa,
            n_head=heads[0],
            n_head_kv=1,
            experts=True,
            n_layer_nextn=n_next,
        )
        if config.rope_scaling.factor != 1:
            raise UnsupportedModel("dots3note with rope.scaling is not supported.")
        n_layer = config.n_layer
        local = accounts.get_bools("attention.sliding_window_pattern", n_layer)
        own = tuple(not each for each in local)
        if accounts.get_bools("attention.indexer.types", n_layer) != own:
            raise InvalidFile("Layers with an indexer are not those without a sliding window.")
        indexer = read_indexer(accounts, config, interleaved=True, own=own)
        experts = read_deepseek_experts(accounts, n_layer + n_next, "sigmoid")
        full, windowed = _read_sizes(accounts, config, ""), _read_sizes(accounts, config, "_swa")
        sizes = [
            (windowed if is_local else full)._replace(n_head=n_head)
            for is_local, n_head in zip(local, heads, strict=False)
        ]
        kept = [
            config._replace(n_embd_head_k=size.n_lora_kv + size.n_rot, n_embd_head_v=size.n_lora_kv)
            for size in sizes
        ]
        keys = [indexer.key_config(config)] * sum(own)
        weights = Weights(accounts, backend)
        windows = [n_swa if is_local else 0 for is_local in local] + [0] * len(keys)
        super().__init__(config, weights, n_ctx, windows, kept + keys)
        indexer = indexer.within(self.n_ctx)
        local_base = accounts.get_float("rope.freq_base_swa", min=1.0 + 1e-6)
        self.rope = self.rope_table(interleaved=True)
        self.local_rope = rope_table(self.n_ctx, config.n_rot, local_base, interleaved=True)
        self.blocks = [Block(weights, config, size, experts, i, indexer) for i, size in enumerate(sizes)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            attended = self._attend_block(ops, block, block.attn_norm(ops, x), i)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))

    def _attend_block(self, ops: Ops, block: Block, x: Tensor, layer: int) -> Tensor:
        """The attention of a layer up to its output matrix."""
        q_source, rope, chosen = block.attention.q_source(ops, x), self.local_rope, None
        if block.indexer is not None:
            rope, chosen = self.rope, block.indexer(ops, x, q_source, self.rope)
        attended = block.attention(
            ops, x, layer, rope, block.attention_scale, q_source=q_source, chosen=chosen
        )
        return ops.scale_rows(attended, ops.sigmoid(block.attn_gate(ops, x)))


def _read_sizes(accounts: Accounting, config: Config, suffix: str) -> LatentSizes:
    """Those of one kind of layers, the number of its heads left open."""
    n_lora_kv, n_rot = accounts.get_int(f"attention.kv_lora_rank{suffix}", min=1), config.n_rot
    kept = config.n_embd_head_k, config.n_embd_head_v
    if suffix:
        n_kept_k = accounts.get_int(f"attention.key_length{suffix}", min=1)
        kept = n_kept_k, accounts.get_int(f"attention.value_length{suffix}", min=1)
    n_key = accounts.get_int(f"attention.key_length_mla{suffix}", min=1)
    if kept != (n_lora_kv + n_rot, n_lora_kv) or n_key <= n_rot:
        raise InvalidFile(
            f"Latent attention of {n_lora_kv} and {n_rot} columns, with keys of {n_key}, cannot keep {kept}."
        )
    return LatentSizes(
        n_head=config.n_head,
        n_nope=n_key - n_rot,
        n_rot=n_rot,
        n_value=accounts.get_int(f"attention.value_length_mla{suffix}", min=1),
        n_lora_q=accounts.get_int("attention.q_lora_rank", min=1),
        n_lora_kv=n_lora_kv,
        absorbed=True,
    )
