"""Models of transformers with the weights of random models, for make_transformers_logits.py."""

from __future__ import annotations

import numpy as np
import torch
import transformers
from helpers.random_models import Float32Array, RandomModel
from make_random_logits import N_CTX
from tiny_vocab import N_VOCAB

_OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate_inp": "mlp.router",
}
_OTHERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def phimoe(model: RandomModel, tensors: dict[str, Float32Array]) -> torch.nn.Module:
    """The model in transformers, with the longer contexts' factors in both places: it never takes those."""
    keys = model.metadata
    factors = tensors["rope_factors_long.weight"].tolist()
    mscale = keys["rope.scaling.attn_factor"]
    config = transformers.PhimoeConfig(
        vocab_size=N_VOCAB,
        hidden_size=model.n_embd,
        intermediate_size=model.n_ff,
        num_hidden_layers=model.n_layer,
        num_attention_heads=model.n_head,
        num_key_value_heads=model.n_head_kv,
        max_position_embeddings=N_CTX,
        rms_norm_eps=model.eps,
        sliding_window=keys["attention.sliding_window"],
        num_local_experts=keys["expert_count"],
        num_experts_per_tok=keys["expert_used_count"],
        attention_bias=True,
        lm_head_bias=True,
        attn_implementation="eager",
        experts_implementation="eager",
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": keys["rope.freq_base"],
            "original_max_position_embeddings": keys["rope.scaling.original_context_length"],
            "short_factor": factors,
            "long_factor": factors,
            "short_mscale": mscale,
            "long_mscale": mscale,
        },
    )
    named: dict[str, Float32Array] = {}
    for name, values in tensors.items():
        parts = name.split(".")
        if parts[0] in _OTHERS:
            named[f"{_OTHERS[parts[0]]}.{parts[1]}"] = values
        elif parts[0] == "blk" and parts[2] in _OF_LAYER:
            named[f"model.layers.{parts[1]}.{_OF_LAYER[parts[2]]}.{parts[3]}"] = values
    for i in range(model.n_layer):
        gate, up, down = (tensors[f"blk.{i}.ffn_{part}_exps.weight"] for part in ("gate", "up", "down"))
        named[f"model.layers.{i}.mlp.experts.gate_up_proj"] = np.concatenate([gate, up], axis=1)
        named[f"model.layers.{i}.mlp.experts.down_proj"] = down
    made = transformers.PhimoeForCausalLM(config).eval()
    made.load_state_dict({name: torch.from_numpy(values) for name, values in named.items()}, strict=True)
    return made


_OF_M3_LAYER = {
    **_OF_LAYER,
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate_inp": "mlp.gate",
    "ffn_down": "mlp.down_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
    "indexer.q_proj": "self_attn.indexer.q_proj",
    "indexer.k_proj": "self_attn.indexer.k_proj",
    "indexer.q_norm": "self_attn.indexer.q_norm",
    "indexer.k_norm": "self_attn.indexer.k_norm",
}
_M3_JOINED = {
    "ffn_{}": "mlp.gate_up_proj.weight",
    "ffn_{}_shexp": "mlp.shared_experts.gate_up_proj.weight",
    "ffn_{}_exps": "mlp.experts.gate_up_proj",
}


def _renamed(tensors: dict[str, Float32Array], of_layer: dict[str, str]) -> dict[str, Float32Array]:
    """Tensors of a mixture by their names in transformers, as far as these names have only to be changed."""
    named: dict[str, Float32Array] = {}
    for name, values in tensors.items():
        stem, kind = name.rsplit(".", 1)
        if stem in _OTHERS:
            named[f"{_OTHERS[stem]}.{kind}"] = values
        elif stem.startswith("blk."):
            _, i, part = stem.split(".", 2)
            if part in of_layer:
                named[f"model.layers.{i}.{of_layer[part]}.{kind}"] = values
            elif part == "exp_probs_b":
                named[f"model.layers.{i}.mlp.gate.e_score_correction_bias"] = values
            elif part == "ffn_down_exps":
                named[f"model.layers.{i}.mlp.experts.down_proj"] = values
    return named


def minimax_m3(model: RandomModel, tensors: dict[str, Float32Array]) -> torch.nn.Module:
    """The model in transformers, whose norms have weights less 1."""
    from transformers.models.minimax_m3_vl import MiniMaxM3VLForCausalLM, MiniMaxM3VLTextConfig

    keys, n_layer = model.metadata, model.n_layer
    n_dense, n_ff = keys["leading_dense_block_count"], keys["expert_feed_forward_length"]
    config = MiniMaxM3VLTextConfig(
        vocab_size=N_VOCAB,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=model.n_embd,
        dense_intermediate_size=model.n_ff,
        intermediate_size=n_ff,
        shared_intermediate_size=n_ff * keys["expert_shared_count"],
        num_hidden_layers=n_layer,
        num_attention_heads=model.n_head,
        num_key_value_heads=model.n_head_kv,
        head_dim=model.head_dim,
        max_position_embeddings=N_CTX,
        rms_norm_eps=model.eps,
        num_local_experts=keys["expert_count"],
        num_experts_per_tok=keys["expert_used_count"],
        routed_scaling_factor=keys["expert_weights_scale"],
        rotary_dim=keys["rope.dimension_count"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": keys["rope.freq_base"],
            "partial_rotary_factor": keys["rope.dimension_count"] / model.head_dim,
        },
        index_n_heads=keys["attention.indexer.head_count"],
        index_head_dim=keys["attention.indexer.key_length"],
        index_block_size=keys["attention.indexer.block_size"],
        index_topk_blocks=keys["attention.indexer.top_k"],
        index_local_blocks=keys["attention.indexer.local_blocks"],
        layer_types=["full_attention"] * n_dense + ["minimax_m3_sparse"] * (n_layer - n_dense),
        mlp_layer_types=["dense"] * n_dense + ["sparse"] * (n_layer - n_dense),
        attn_implementation="eager",
        experts_implementation="eager",
    )
    own = {name: values - 1 if name.endswith("norm.weight") else values for name, values in tensors.items()}
    named = _renamed(own, _OF_M3_LAYER)
    for i in range(n_layer):
        for names, joined in _M3_JOINED.items():
            parts = [tensors.get(f"blk.{i}.{names.format(part)}.weight") for part in ("gate", "up")]
            if parts[0] is not None and parts[1] is not None:
                axis = parts[0].ndim - 2
                named[f"model.layers.{i}.{joined}"] = np.concatenate([parts[0], parts[1]], axis=axis)
    made = MiniMaxM3VLForCausalLM(config).eval()
    made.load_state_dict({name: torch.from_numpy(values) for name, values in named.items()}, strict=True)
    return made


_OF_DOTS_LAYER = {
    **{each: _OF_LAYER[each] for each in ("attn_norm", "attn_output", "ffn_norm")},
    "attn_q_a": "self_attn.q_a_proj",
    "attn_q_b": "self_attn.q_b_proj",
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
    "attn_k_norm": "self_attn.k_rope_only_layernorm",
    "attn_gate": "self_attn.g_proj",
    "indexer.attn_q_b": "self_attn.indexer.wq_b",
    "indexer.attn_k": "self_attn.indexer.wk",
    "indexer.k_norm": "self_attn.indexer.k_norm",
    "indexer.proj": "self_attn.indexer.weights_proj",
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_shexp": "mlp.shared_experts.gate_proj",
    "ffn_up_shexp": "mlp.shared_experts.up_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
}


def dots3note(model: RandomModel, tensors: dict[str, Float32Array]) -> torch.nn.Module:
    """The model in transformers, which scales what two norms give; a file has that in their weights."""
    from transformers.models.dots3_note import Dots3NoteForCausalLM, Dots3NoteTextConfig

    keys, kinds = model.metadata, ("indexed_attention", "sliding_attention")
    local = keys["attention.sliding_window_pattern"].tolist()
    n_head, n_local = (keys["attention.head_count"][local.index(kind)].item() for kind in (False, True))
    n_rot, n_ff = keys["rope.dimension_count"], keys["expert_feed_forward_length"]
    n_key, n_local_key = (keys[f"attention.key_length_mla{suffix}"] for suffix in ("", "_swa"))
    bases = keys["rope.freq_base"], keys["rope.freq_base_swa"]
    config = Dots3NoteTextConfig(
        vocab_size=N_VOCAB,
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=model.n_embd,
        intermediate_size=model.n_ff,
        moe_intermediate_size=n_ff,
        moe_shared_expert_intermediate_size=n_ff,
        num_hidden_layers=model.n_layer,
        num_attention_heads=n_head,
        num_key_value_heads=n_head,
        n_shared_experts=keys["expert_shared_count"],
        n_routed_experts=keys["expert_count"],
        num_experts_per_tok=keys["expert_used_count"],
        routed_scaling_factor=keys["expert_weights_scale"],
        first_k_dense_replace=keys["leading_dense_block_count"],
        q_lora_rank=keys["attention.q_lora_rank"],
        kv_lora_rank=keys["attention.kv_lora_rank"],
        qk_rope_head_dim=n_rot,
        qk_nope_head_dim=n_key - n_rot,
        v_head_dim=keys["attention.value_length_mla"],
        head_dim=n_key,
        swa_num_attention_heads=n_local,
        swa_num_key_value_heads=n_local,
        swa_q_lora_rank=keys["attention.q_lora_rank"],
        swa_kv_lora_rank=keys["attention.kv_lora_rank_swa"],
        swa_qk_rope_head_dim=n_rot,
        swa_qk_nope_head_dim=n_local_key - n_rot,
        swa_v_head_dim=keys["attention.value_length_mla_swa"],
        swa_head_dim=n_local_key,
        sliding_window_size=keys["attention.sliding_window"],
        layer_types=[kinds[each] for each in local],
        rope_parameters={
            kind: {"rope_type": "default", "rope_theta": base}
            for kind, base in zip(kinds, bases, strict=True)
        },
        max_position_embeddings=N_CTX,
        rms_norm_eps=model.eps,
        index_n_heads=keys["attention.indexer.head_count"],
        index_head_dim=keys["attention.indexer.key_length"],
        index_topk=keys["attention.indexer.top_k"],
        attn_implementation="eager",
        experts_implementation="eager",
    )
    named = _renamed(tensors, _OF_DOTS_LAYER)
    for i in range(model.n_layer):
        of = {name: tensors.get(f"blk.{i}.{name}.weight") for name in ("attn_q_a_norm", "attn_kv_a_norm")}
        for name, values in of.items():
            assert values is not None
            scale = np.float32((model.n_embd / len(values)) ** 0.5)
            named[f"model.layers.{i}.self_attn.{name[5:-5]}_layernorm.weight"] = values / scale
        k, v = (tensors[f"blk.{i}.attn_{part}_b.weight"] for part in "kv")
        both = np.concatenate([k.transpose(0, 2, 1), v], axis=1)
        named[f"model.layers.{i}.self_attn.kv_b_proj.weight"] = both.reshape(-1, both.shape[-1])
        if (gate := tensors.get(f"blk.{i}.ffn_gate_exps.weight")) is not None:
            up = tensors[f"blk.{i}.ffn_up_exps.weight"]
            named[f"model.layers.{i}.mlp.experts.gate_up_proj"] = np.concatenate([gate, up], axis=1)
    made = Dots3NoteForCausalLM(config).eval()
    made.load_state_dict({name: torch.from_numpy(values) for name, values in named.items()}, strict=True)
    return made


MAKERS = {"phimoe": phimoe, "minimax-m3": minimax_m3, "dots3note": dots3note}
