"""DeepSeek-V2, V2.5, V3 and R1, Kimi K2, Mistral Large 3, GLM-4.7-Flash and others of that design.

Beside a llama block (see `rushlight.models.llama`):

- Multi-head latent attention (see `rushlight.models.latent_attention`). Current files have ``attn_k_b`` and
  ``attn_v_b``, and the cache keeps the short vectors; old ones have ``attn_kv_b`` and whole keys and values.
  The small models make queries straight from the input (``attn_q``). RoPE turns neighbouring columns.
- With YaRN scores are multiplied by the square of ``1 + rope.scaling.yarn_log_multiplier * ln(factor)``, and
  RoPE's own temperature is taken back; without the key both have YaRN's temperature.
- All layers but the first ``leading_dense_block_count`` are mixtures of experts: softmax or sigmoid
  (``expert_gating_func``), in V3 with a bias that takes part in the choice alone (``exp_probs_b``) and a
  choice of groups first (``expert_group_count``, ``expert_group_used_count``); weights divided by their sum
  (``expert_weights_norm``) and multiplied (``expert_weights_scale``); and ``expert_shared_count`` experts
  that every token uses. In a file without ``expert_count`` no layer is one.
- With ``attention.temperature_scale`` queries grow with their position p, by
  ``1 + scale * ln(1 + floor(p / attention.temperature_length))`` (Mistral Large 3).
- ``nextn_predict_layers`` layers at the end, which predict a further token, are left out.

Source: DeepSeek-AI 2024, "DeepSeek-V2" and "DeepSeek-V3 Technical Report"; ``deepseek2.cpp`` in llama.cpp's
``src/models``; ``modeling_deepseek_v3.py`` in transformers.
"""

from __future__ import annotations

import math

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_deepseek_experts
from rushlight.models.experts import ffn_of
from rushlight.models.indexer import Indexer, IndexerConfig
from rushlight.models.latent_attention import LatentAttention, LatentSizes
from rushlight.models.layers import RmsNorm
from rushlight.models.rope import position_growth
from rushlight.models.rope_scaling import RopeScaling
from rushlight.models.weights import Weights

_GLM_LAYERS, _GLM_VOCAB = (47, 48), 154880


class Block:
    """The weights of one layer; it may have an indexer that chooses what attention sees."""

    indexer: Indexer | None = None

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: LatentSizes,
        experts: ExpertConfig | None,
        layer: int,
        indexer: IndexerConfig | None,
    ) -> None:
        name, n_embd = f"blk.{layer}", config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.attention = LatentAttention(weights, config, sizes, name)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, sizes.n_head * sizes.n_value)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn_of(weights, config, experts, layer)
        if indexer is not None and indexer.own[layer]:
            cache = config.n_layer + sum(indexer.own[:layer])
            self.indexer = Indexer(weights, config, indexer, sizes.n_lora_q, name, cache)


class LatentDecoder(Decoder):
    """A model of such layers.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        backend: takes the weights over.
        n_ctx: positions to load for; None: as many as the model was trained for.
        gating: of a file that does not say how experts are gated.
    """

    def __init__(
        self, accounts: Accounting, arch: str, backend: Backend, n_ctx: int | None, gating: str = "softmax"
    ) -> None:
        n_next = accounts.get_int("nextn_predict_layers", 0, min=0, max=64)
        config = read_config(accounts, arch, experts=True, n_layer_nextn=n_next)
        growth = _read_growth(accounts)
        weights = Weights(accounts, backend)
        sizes = _read_sizes(accounts, weights, config)
        scaling, temperature = _temperatures(config.rope_scaling)
        config = config._replace(rope_scaling=scaling)
        indexer = self.read_indexer(accounts, config)
        layer_configs = [config] * config.n_layer
        if indexer is not None:
            if not sizes.absorbed or not sizes.n_lora_q:
                raise InvalidFile("Sparse attention is over short vectors, of which this file has none.")
            layer_configs += [indexer.key_config(config)] * sum(indexer.own)
        super().__init__(config, weights, n_ctx, [0] * len(layer_configs), layer_configs)
        indexer = None if indexer is None else indexer.within(self.n_ctx)
        # As in llama.cpp: files of GLM-4.7-Flash do not say that their gate is a sigmoid.
        is_glm = config.n_layer in _GLM_LAYERS and self.n_vocab == _GLM_VOCAB
        gating = "sigmoid" if is_glm else gating
        experts = None
        if accounts.get_int("expert_count", 0, min=0) > 0:
            experts = read_deepseek_experts(accounts, config.n_layer + n_next, gating)
        else:
            accounts.ignore("expert_*", "no layer is a mixture")
            accounts.ignore("leading_dense_block_count", "no layer is a mixture")
        self.rope = self.index_rope = self.rope_table(interleaved=True)
        if indexer is not None and not indexer.interleaved:
            self.index_rope = self.rope_table(interleaved=False)
        self.growth = weights.of_positions(position_growth(self.n_ctx, *growth)) if growth else None
        self.attention_scale = temperature**2 / math.sqrt(sizes.n_key)
        self.blocks = [Block(weights, config, sizes, experts, i, indexer) for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def read_indexer(self, accounts: Accounting, config: Config) -> IndexerConfig | None:
        """What chooses the positions that attention sees; None: it sees all."""
        return None

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        growth = None if self.growth is None else ops.embed_positions(self.growth)
        scale, chosen = self.attention_scale, None
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            q_source = block.attention.q_source(ops, normed)
            if block.indexer is not None:
                chosen = block.indexer(ops, normed, q_source, self.index_rope)
            attended = block.attention(ops, normed, i, self.rope, scale, growth, q_source, chosen)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


class Model(LatentDecoder):
    """A model of the deepseek2 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        super().__init__(accounts, "deepseek2", backend, n_ctx)


def _read_growth(accounts: Accounting) -> tuple[float, int] | None:
    """How queries grow with their positions, as `position_growth` takes it; None: they do not."""
    scale = accounts.get_float("attention.temperature_scale", 0.0)
    if not scale:
        accounts.ignore("attention.temperature_length", "queries do not grow with positions")
        return None
    return scale, accounts.get_int("attention.temperature_length", min=1)


def _read_sizes(accounts: Accounting, weights: Weights, config: Config) -> LatentSizes:
    """Current files give keys and values the sizes of what is kept, and the heads' own under ``_mla``."""
    n_key = accounts.get_int("attention.key_length_mla", 0, min=0)
    n_value = accounts.get_int("attention.value_length_mla", 0, min=0)
    n_lora_kv = accounts.get_int("attention.kv_lora_rank", min=1)
    n_lora_q = accounts.get_int("attention.q_lora_rank", 0, min=0)
    absorbed = n_key > 0 and n_value > 0
    if absorbed:
        kept = (config.n_head_kv, config.n_embd_head_k, config.n_embd_head_v)
        if kept != (1, n_lora_kv + config.n_rot, n_lora_kv):
            raise InvalidFile(f"Latent attention of {n_lora_kv} columns keeps one head of them, not {kept}.")
    elif config.n_head_kv != config.n_head:
        raise InvalidFile(f"{config.n_head} latent heads have {config.n_head_kv} heads of keys and values.")
    else:
        n_key, n_value = config.n_embd_head_k, config.n_embd_head_v
    if n_key <= config.n_rot:
        raise InvalidFile(f"Keys of {n_key} columns have none beside the {config.n_rot} that RoPE turns.")
    return LatentSizes(
        n_head=config.n_head,
        n_nope=n_key - config.n_rot,
        n_rot=config.n_rot,
        n_value=n_value,
        n_lora_q=0 if weights.has("blk.0.attn_q.weight") else n_lora_q,
        n_lora_kv=n_lora_kv,
        absorbed=absorbed,
    )


def _temperatures(scaling: RopeScaling) -> tuple[RopeScaling, float]:
    """RoPE's scaling with what it keeps of YaRN's temperature, and what scores are multiplied by, twice."""
    if not scaling.ext_factor:
        if scaling.factor != 1:
            raise UnsupportedModel("rope.scaling of this architecture must be of type yarn.")
        return scaling, scaling.attn_factor
    log = math.log(scaling.factor)
    if not scaling.log_multiplier:
        return scaling, scaling.attn_factor * (1.0 + 0.1 * log)
    return scaling._replace(log_multiplier=1.0), scaling.attn_factor * (1.0 + scaling.log_multiplier * log)
