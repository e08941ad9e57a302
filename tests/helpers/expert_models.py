"""Tiny random models of the architectures with experts: one row each."""

from __future__ import annotations

import numpy as np
from helpers.expert_layers import (
    ATTENTION,
    BIASED_ATTENTION,
    DEEPSEEK,
    DENSE,
    EXPERTS,
    FIRST_DENSE,
    LATER_EXPERTS,
    OSS_ATTENTION,
    SHARED,
)
from helpers.random_layers import YARN
from helpers.random_models import RandomModel

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
)
