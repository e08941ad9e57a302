"""Small models of transformers that llama.cpp's converter makes files of: what each differs in.

The names are transformers' ``model_type``, or stand beside one in `MODEL_TYPES`.
"""

from __future__ import annotations

from typing import Any

N_VOCAB = 300
N_LAYER = 4

COMMON: dict[str, Any] = {
    "vocab_size": N_VOCAB, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": N_LAYER,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
    "n_positions": 512, "n_ctx": 512, "n_embd": 64, "n_layer": N_LAYER, "n_head": 4, "n_inner": 96,
    "d_model": 64, "n_layers": N_LAYER, "n_heads": 4, "ffn_dim": 96, "sliding_window": 16,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4,
    "num_experts_per_tok": 2, "moe_k": 2, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 48,
    "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "q_lora_rank": 24, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
    "v_head_dim": 16, "mamba_d_state": 16, "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 2,
    "mamba_chunk_size": 16, "state_size": 16, "linear_num_value_heads": 4, "linear_num_key_heads": 2,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip
"""What every model gets whose configuration knows it. The prompt is longer than the window."""

MODEL_TYPES = {
    "falcon_40b": "falcon",
    "gemma4_experts": "gemma4_text",
    "olmo3_two_bases": "olmo3",
}

_LATENT = {"head_dim": None, "num_key_value_heads": 4}
_MAMBA = {"intermediate_size": 128, "expand": 2, "time_step_rank": 4}
_NO_WINDOW = {"sliding_window": None}  # files do not tell the window of these

OVERRIDES: dict[str, dict[str, Any]] = {
    "afmoe": {"mup_enabled": True},
    "cohere2_moe": {"prefix_dense_intermediate_size": 80},
    "deepseek_v2": {**_LATENT, "n_group": 1, "topk_method": "greedy"},
    "deepseek_v3": _LATENT,
    "deepseek_v32": {**_LATENT, "index_n_heads": 32, "index_head_dim": 16, "index_topk": 12},
    "dots1": {"n_shared_experts": 1, "n_group": 1},
    "ernie4_5_moe": {"shared_expert_intermediate_size": None, "intermediate_size": 128},
    "exaone4": {"num_hidden_layers": 64},
    "exaone_moe": {"norm_topk_prob": True},
    "falcon": {"head_dim": None, "multi_query": False, "new_decoder_architecture": False},
    "falcon_40b": {"head_dim": None, "num_kv_heads": 2, "new_decoder_architecture": True},
    "falcon_h1": {"mamba_d_ssm": 128},
    "falcon_mamba": {**_MAMBA, "mixer_rms_eps": 1e-5},
    "gemma2": {"query_pre_attn_scalar": 16},
    "gemma3_text": {"query_pre_attn_scalar": 16},
    "gemma3n_text": {
        "num_hidden_layers": 10,
        "num_kv_shared_layers": 5,
        "intermediate_size": [4096] * 10,
        "activation_sparsity_pattern": [0.95] * 4 + [0.0] * 6,
        "vocab_size_per_layer_input": N_VOCAB,
        "hidden_size_per_layer_input": 16,
        "laurel_rank": 8,
        "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 2,
    },
    "gemma4_text": {
        "num_hidden_layers": 6,
        "hidden_size_per_layer_input": 16,
        "vocab_size_per_layer_input": N_VOCAB,
        "global_head_dim": 32,
        "num_global_key_value_heads": 1,
        "attention_k_eq_v": False,
        "num_experts": None,
        "moe_intermediate_size": None,
    },
    "gemma4_experts": {
        "num_hidden_layers": 6,
        "hidden_size_per_layer_input": 0,
        "vocab_size_per_layer_input": N_VOCAB,
        "global_head_dim": 32,
        "num_global_key_value_heads": 1,
        "attention_k_eq_v": True,
        "enable_moe_block": True,
        "top_k_experts": 2,
        "expert_intermediate_size": 32,
    },
    "glm4_moe_lite": {**_LATENT, "n_group": 1},
    "glm_moe_dsa": {**_LATENT, "n_group": 1, "index_n_heads": 32, "index_head_dim": 16, "index_topk": 12},
    "gpt2": {"n_inner": 256},
    "gpt_bigcode": {"n_inner": 256},
    "granitemoehybrid": {
        "shared_intermediate_size": 48,
        "layer_types": ["linear_attention", "linear_attention", "full_attention", "linear_attention"],
    },
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_dt_rank": 8,
    },
    "laguna": {"layer_types": ["full_attention", *["sliding_attention"] * 3]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "conv"], "num_dense_layers": 1},
    "llama4_text": {"num_experts_per_tok": 1},
    "mamba": _MAMBA,
    "mamba2": {"num_heads": 8, "head_dim": 16, "expand": 2, "n_groups": 2, "chunk_size": 16},
    "mellum": {"layer_types": ["sliding_attention", "full_attention"] * 2},
    "minicpm3": _LATENT,
    "mistral": _NO_WINDOW,
    "mixtral": _NO_WINDOW,
    "nemotron_h": {
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "n_groups": 2,
        "ssm_state_size": 16,
        "chunk_size": 16,
        "moe_shared_expert_intermediate_size": 40,
        "n_group": 1,
        "layers_block_type": ["linear_attention", "moe", "full_attention", "moe"],
    },
    "olmo3_two_bases": {
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        }
    },
    "phi": {"num_key_value_heads": 4, "partial_rotary_factor": 0.5, "intermediate_size": 256},
    "qwen3_moe": {"norm_topk_prob": True},
    "qwen3_next": {"norm_topk_prob": True},
    "solar_open": {"n_group": 1},
    "starcoder2": _NO_WINDOW,
}
"""Other sizes and settings; None leaves the configuration's own, but for a window."""

PUBLISHED: dict[str, dict[str, Any]] = {
    "afmoe": {"route_norm": True, "score_func": "sigmoid"},
    "cohere2": {"rotary_pct": 1.0},
    "deepseek_v3": {"scoring_func": "sigmoid", "topk_method": "noaux_tc"},
    "deepseek_v32": {"scoring_func": "sigmoid", "topk_method": "noaux_tc"},
    "dots1": {"scoring_func": "sigmoid"},
    "falcon_h1": {"head_dim": 16},
    "glm4_moe_lite": {"first_k_dense_replace": 1, "scoring_func": "sigmoid"},
    "gpt2": {"n_ctx": 512},
    "gpt_neox": {"rotary_pct": 0.25},
    "granitemoehybrid": {"layer_types": ["mamba", "mamba", "attention", "mamba"]},
    "hunyuan_v1_moe": {
        "moe_intermediate_size": [96] * N_LAYER,
        "moe_topk": [2] * N_LAYER,
        "num_shared_expert": [1] * N_LAYER,
        "use_mixed_mlp_moe": True,
    },
    "mamba": {"intermediate_size": 128},
    "falcon_mamba": {"intermediate_size": 128},
    "minimax_m2": {"rotary_dim": 16},
    "mpt": {"architectures": ["MPTForCausalLM"]},
    "nemotron_h": {"hybrid_override_pattern": "ME*E"},
    "qwen3_5_moe_text": {"mtp_num_hidden_layers": 1},
    "qwen3_5_text": {"mtp_num_hidden_layers": 1},
    "qwen3_next": {"mtp_num_hidden_layers": 1},
    "solar_open": {"partial_rotary_factor": 1.0},
}
"""What published configurations say and the converter reads, but transformers no longer writes."""

NAMES = (
    "afmoe", "apertus", "arcee", "bloom", "cohere", "cohere2", "cohere2_moe", "deepseek_v2", "deepseek_v3",
    "deepseek_v32", "dots1", "ernie4_5", "ernie4_5_moe", "exaone4", "exaone_moe",
    "falcon", "falcon_40b", "falcon_h1", "falcon_mamba", "gemma", "gemma2", "gemma3_text", "gemma3n_text",
    "gemma4_experts", "gemma4_text", "glm", "glm4", "glm4_moe", "glm4_moe_lite", "glm_moe_dsa", "gpt2",
    "gpt_bigcode", "gpt_neox", "gpt_oss", "granite", "granite_swa", "granitemoe", "granitemoe_swa",
    "granitemoehybrid", "granitemoeshared", "hunyuan_v1_dense", "hunyuan_v1_moe", "hy_v3", "jais2", "jamba",
    "laguna", "lfm2", "lfm2_moe", "llama", "llama4_text", "mamba", "mamba2", "mellum", "minicpm3",
    "minimax_m2", "mistral", "mixtral", "mpt", "nemotron", "nemotron_h", "olmo", "olmo2", "olmo3",
    "olmo3_two_bases", "olmoe", "phi", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_5_moe_text",
    "qwen3_5_text", "qwen3_moe", "qwen3_next", "seed_oss", "smollm3", "solar_open", "stablelm",
    "starcoder2",
)  # fmt: skip
