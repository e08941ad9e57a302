"""Tiny random models of the architectures with experts: one row each."""

from __future__ import annotations

import numpy as np
from helpers.random_layers import YARN
from helpers.random_models import RandomModel

ATTENTION = "attn_norm attn_q attn_k attn_v attn_output ffn_norm"
BIASED_ATTENTION = f"{ATTENTION} attn_q.bias attn_k.bias attn_v.bias"
OSS_ATTENTION = BIASED_ATTENTION.replace("ffn_norm", "post_attention_norm")
EXPERTS = "ffn_gate_inp ffn_gate_exps ffn_up_exps ffn_down_exps"
SHARED = "ffn_gate_shexp ffn_up_shexp ffn_down_shexp"
DENSE = "ffn_gate ffn_up ffn_down"
FIRST_DENSE = dict.fromkeys(DENSE.split(), (0,))
LATER_EXPERTS = dict.fromkeys(f"{EXPERTS} {SHARED} exp_probs_b.bias".split(), (1, 2))
DEEPSEEK = {
    "expert_count": 16,
    "expert_used_count": 4,
    "expert_feed_forward_length": 32,
    "expert_shared_count": 2,
    "expert_weights_norm": True,
    "expert_weights_scale": 1.7,
    "leading_dense_block_count": 1,
}
LATENT = "attn_norm attn_kv_a_mqa attn_kv_a_norm attn_output ffn_norm"
LATENT_SHAPES = {
    "attn_q": ("n_mla_q", "n_embd"),
    "attn_q_a": ("n_lora_q", "n_embd"),
    "attn_q_a_norm": ("n_lora_q",),
    "attn_q_b": ("n_mla_q", "n_lora_q"),
    "attn_kv_a_mqa": ("n_lora_kv_rot", "n_embd"),
    "attn_kv_a_norm": ("n_lora_kv",),
    "attn_k_b": ("n_head", "n_lora_kv", "n_nope"),
    "attn_v_b": ("n_head", "n_mla_v", "n_lora_kv"),
    "attn_kv_b": ("n_mla_kv", "n_lora_kv"),
    "attn_output": ("n_embd", "n_mla_out"),
}
LATENT_KEYS = {
    **DEEPSEEK,
    **YARN,
    "rope.scaling.yarn_log_multiplier": 0.0707,
    "rope.dimension_count": 8,
    "attention.kv_lora_rank": 32,
}
LITE_NAMES = f"{DENSE} ffn_gate_inp ffn_gate_up_exps ffn_down_exps {SHARED}".split()

EXPERT_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "mixtral",
        "llama",
        f"{ATTENTION} {EXPERTS}",
        metadata={"expert_count": 8, "expert_used_count": 2, "rope.freq_base": 1e6},
    ),
    RandomModel(
        "qwen2moe",
        "qwen2moe",
        f"{BIASED_ATTENTION} {EXPERTS} {SHARED} ffn_gate_inp_shexp",
        metadata={
            "expert_count": 10,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
            "rope.freq_base": 1e6,
        },
    ),
    RandomModel(
        "qwen2moe-shared-size",
        "qwen2moe",
        f"{BIASED_ATTENTION} {EXPERTS} {SHARED} ffn_gate_inp_shexp",
        shapes={
            "ffn_gate_exps": ("n_expert", "n_ff_used", "n_embd"),
            "ffn_up_exps": ("n_expert", "n_ff_used", "n_embd"),
            "ffn_down_exps": ("n_expert", "n_embd", "n_ff_used"),
        },
        metadata={
            **YARN,
            "expert_count": 6,
            "expert_used_count": 2,
            "expert_shared_feed_forward_length": 128,
        },
    ),
    RandomModel(
        "qwen3moe",
        "qwen3moe",
        f"{ATTENTION} attn_q_norm attn_k_norm {EXPERTS}",
        head_dim=32,
        metadata={
            **YARN,
            "expert_count": 16,
            "expert_used_count": 4,
            "expert_feed_forward_length": 32,
        },
    ),
    RandomModel(
        "gpt-oss",
        "gpt-oss",
        f"{OSS_ATTENTION} attn_output.bias attn_sinks {EXPERTS} ffn_gate_inp.bias ffn_gate_exps.bias"
        " ffn_up_exps.bias ffn_down_exps.bias",
        n_layer=4,
        head_dim=32,
        gains={"ffn_gate_exps": 5.0, "ffn_up_exps": 5.0, "ffn_down_exps": 0.2},  # into what is clamped
        metadata={
            # No YaRN: llama.cpp rounds the bounds of its blend, which gpt-oss does not.
            "rope.freq_base": 1.5e5,
            "attention.sliding_window": 12,
            "expert_count": 8,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
        },
    ),
    RandomModel(
        "phimoe",
        "phimoe",
        f"{BIASED_ATTENTION} attn_norm.bias ffn_norm.bias attn_output.bias {EXPERTS}",
        rest="output_norm output_norm.bias output output.bias rope_factors_long rope_factors_short",
        oracle="transformers",
        metadata={
            "rope.scaling.type": "longrope",
            "rope.scaling.original_context_length": 16,
            "rope.scaling.attn_factor": 1.2,
            "rope.freq_base": 1e4,
            "attention.sliding_window": 24,
            "expert_count": 16,
            "expert_used_count": 2,
        },
    ),
    RandomModel(
        "minimax-m2",
        "minimax-m2",
        f"{ATTENTION} attn_q_norm attn_k_norm {EXPERTS} exp_probs_b.bias",
        shapes={"attn_q_norm": ("n_q",), "attn_k_norm": ("n_kv",)},
        head_dim=32,
        metadata={
            "rope.dimension_count": 16,
            "rope.freq_base": 5e6,
            "expert_count": 16,
            "expert_used_count": 4,
            "expert_feed_forward_length": 96,
            "expert_gating_func": 2,
        },
    ),
    RandomModel(
        "qwen3vlmoe",
        "qwen3vlmoe",
        f"{ATTENTION} attn_q_norm attn_k_norm {EXPERTS}",
        head_dim=32,
        metadata={
            "rope.dimension_sections": np.array([6, 5, 5, 0], np.int32),
            "n_deepstack_layers": 0,
            "rope.freq_base": 5e6,
            "expert_count": 12,
            "expert_used_count": 4,
            "expert_feed_forward_length": 32,
        },
    ),
    RandomModel(
        "bailingmoe2",
        "bailingmoe2",
        f"attn_norm attn_qkv attn_q_norm attn_k_norm attn_output ffn_norm {DENSE} {EXPERTS} {SHARED}"
        " exp_probs_b.bias",
        n_layer=3,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        sizes={"n_ff_shexp": 80},
        metadata={
            **DEEPSEEK,
            "expert_gating_func": 2,
            "expert_group_count": 4,
            "expert_group_used_count": 2,
            "expert_shared_feed_forward_length": 40,
            "rope.dimension_count": 8,
            "rope.freq_base": 6e5,
        },
    ),
    RandomModel(
        "mistral3-experts",
        "mistral3",
        f"{ATTENTION} {EXPERTS}",
        head_dim=32,
        metadata={**YARN, "rope.dimension_count": 32, "expert_count": 8, "expert_used_count": 2},
    ),
    RandomModel(
        "mistral4",
        "mistral4",
        f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_k_b attn_v_b {DENSE} {EXPERTS} {SHARED}",
        n_layer=3,
        n_head_kv=1,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        shapes=LATENT_SHAPES,
        metadata={
            **LATENT_KEYS,
            "rope.scaling.yarn_log_multiplier": 0.1,
            "attention.q_lora_rank": 48,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
            "attention.temperature_scale": 0.3,
            "attention.temperature_length": 10,
            "expert_gating_func": 1,
        },
    ),
    RandomModel(
        "olmoe",
        "olmoe",
        f"{ATTENTION} attn_q_norm attn_k_norm {EXPERTS}",
        shapes={"attn_q_norm": ("n_q",), "attn_k_norm": ("n_kv",)},
        n_head_kv=4,
        metadata={"expert_count": 12, "expert_used_count": 4},
    ),
    RandomModel(
        "granitemoe",
        "granitemoe",
        f"{ATTENTION} {EXPERTS} {SHARED}",
        rest="output_norm",
        metadata={
            "expert_count": 10,
            "expert_used_count": 3,
            "expert_shared_feed_forward_length": 64,
            "embedding_scale": 6.0,
            "residual_scale": 0.4,
            "attention.scale": 0.4,
            "logit_scale": 0.5,
        },
    ),
    RandomModel(
        "glm4moe",
        "glm4moe",
        f"{OSS_ATTENTION} attn_q_norm attn_k_norm {DENSE} {EXPERTS} {SHARED} exp_probs_b.bias",
        n_layer=3,
        head_dim=32,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        metadata={
            **DEEPSEEK,
            "rope.dimension_count": 16,
            "expert_gating_func": 2,
        },
    ),
    RandomModel(
        "dots1",
        "dots1",
        f"{ATTENTION} attn_q_norm attn_k_norm {DENSE} {EXPERTS} {SHARED} exp_probs_b.bias",
        n_layer=3,
        n_head_kv=4,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        metadata={**DEEPSEEK, "expert_gating_func": 2, "expert_group_count": 4, "expert_group_used_count": 2},
    ),
    RandomModel(
        "ernie4_5-moe",
        "ernie4_5-moe",
        f"{ATTENTION} {DENSE} {EXPERTS} {SHARED} exp_probs_b.bias",
        n_layer=3,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        metadata={
            "expert_count": 8,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
            "expert_shared_feed_forward_length": 32,
            "leading_dense_block_count": 1,
            "interleave_moe_layer_step": 1,
        },
    ),
    RandomModel(
        "bailingmoe",
        "bailingmoe",
        f"{ATTENTION} {EXPERTS} {SHARED}",
        metadata={**DEEPSEEK, "leading_dense_block_count": 0, "rope.dimension_count": 16},
    ),
    RandomModel(
        "hunyuan-moe",
        "hunyuan-moe",
        f"{ATTENTION} attn_q_norm attn_k_norm {EXPERTS} {SHARED}",
        rest="output_norm",
        head_dim=32,
        metadata={
            "expert_count": 8,
            "expert_used_count": 2,
            "expert_feed_forward_length": 96,
            "expert_shared_feed_forward_length": 64,
        },
    ),
    RandomModel(
        "deepseek2",
        "deepseek2",
        f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_k_b attn_v_b {DENSE} {EXPERTS} {SHARED}"
        " exp_probs_b.bias",
        n_layer=3,
        n_head_kv=1,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        shapes=LATENT_SHAPES,
        metadata={
            **LATENT_KEYS,
            "attention.q_lora_rank": 48,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
            "expert_gating_func": 2,
            "expert_group_count": 4,
            "expert_group_used_count": 2,
        },
    ),
    RandomModel(
        "deepseek2-whole-keys",
        "deepseek2",
        f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_kv_b {DENSE} {EXPERTS} {SHARED}",
        n_layer=3,
        n_head_kv=4,
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        shapes=LATENT_SHAPES,
        metadata={
            **LATENT_KEYS,
            "attention.q_lora_rank": 48,
            "attention.key_length": 24,
            "attention.value_length": 20,
            "rope.scaling.yarn_log_multiplier": 0.1,
        },
    ),
    RandomModel(
        "deepseek2-lite",
        "deepseek2",
        f"{LATENT} attn_q attn_k_b attn_v_b {DENSE} ffn_gate_inp ffn_gate_up_exps ffn_down_exps {SHARED}",
        n_layer=26,
        n_embd=32,
        n_head=2,
        n_head_kv=1,
        n_ff=32,
        gains={
            "attn_q": 1.0,
            "attn_output": 0.7,
            "ffn_down": 0.7,
            "ffn_down_exps": 0.5,
            "ffn_down_shexp": 0.5,
        },
        only_in={name: (0,) if name in DENSE else tuple(range(1, 26)) for name in LITE_NAMES},
        shapes=LATENT_SHAPES,
        metadata={
            **{key: value for key, value in LATENT_KEYS.items() if "yarn_log" not in key},
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
            "expert_weights_norm": False,
        },
    ),
    RandomModel(
        "deepseek2-dense",
        "deepseek2",
        f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_k_b attn_v_b {DENSE}",
        n_head_kv=1,
        shapes=LATENT_SHAPES,
        metadata={
            "leading_dense_block_count": 2,
            "expert_shared_count": 0,
            "expert_feed_forward_length": 96,
            "rope.dimension_count": 8,
            "attention.kv_lora_rank": 32,
            "attention.q_lora_rank": 48,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
        },
    ),
)
