"""Tiny random models of dense architectures that came later or that few files have."""

from __future__ import annotations

import numpy as np
from helpers.random_layers import (
    LAYER_NORM,
    LLAMA,
    LLAMA_BIASES,
    PARALLEL,
    POST_NORMS,
    UNGATED_BIASES,
)
from helpers.random_models import RandomModel

BITNET_SCALES = tuple(f"{name}.scale" for name in LLAMA.split() if "norm" not in name)

LATER_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "muse-glimmer",
        "muse-glimmer",
        f"{POST_NORMS} attn_q_norm attn_k_norm attn_gate",
        n_layer=5,
        head_dim=32,
        shapes={"attn_gate": ("n_q", "n_embd")},
        metadata={
            "attention.sliding_window": 12,
            "final_logit_softcapping": 2.0,
            "logit_scale": 0.3,
            "rope.freq_base_swa": 5e5,
        },
    ),
    RandomModel(
        "bitnet",
        "bitnet",
        f"{LLAMA} attn_sub_norm ffn_sub_norm {' '.join(BITNET_SCALES)}",
        rest="output_norm",
        shapes=dict.fromkeys(BITNET_SCALES, ("one",)),
        alone=BITNET_SCALES,
        gains={"ffn_down": 1.0},
        metadata={"rope.freq_base": 1e4},
    ),
    RandomModel(
        "pangu-embedded",
        "pangu-embedded",
        f"{LLAMA_BIASES} attn_output.bias",
        head_dim=32,
        metadata={"rope.dimension_count": 32, "rope.freq_base": 4e6},
    ),
    RandomModel(
        "jais2", "jais2", UNGATED_BIASES, rest="output_norm output_norm.bias output", epsilon=LAYER_NORM
    ),
    RandomModel("plamo", "plamo", PARALLEL),
    RandomModel(
        "plamo3",
        "plamo3",
        "attn_norm attn_qkv attn_q_norm attn_k_norm attn_output post_attention_norm ffn_norm ffn_up ffn_down"
        " post_ffw_norm",
        n_layer=3,
        head_dim=32,
        shapes={"ffn_up": ("n_ff_2", "n_embd")},
        alone=("post_attention_norm", "post_ffw_norm"),
        metadata={
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": np.array([True, False, True]),
            "rope.freq_base": 1e6,
            "rope.freq_base_swa": 2e4,
        },
    ),
    RandomModel(
        "nanbeige",
        "nanbeige",
        LLAMA,
        metadata={"num_loops": 2, "skip_loop_final_norm": False, "rope.freq_base": 1e6},
    ),
    RandomModel(
        "maincoder",
        "maincoder",
        f"{LLAMA} attn_q_norm attn_k_norm",
        head_dim=32,
        metadata={"rope.dimension_count": 32, "rope.freq_base": 1e6},
    ),
    RandomModel(
        "spark2_5",
        "spark2_5",
        f"{LLAMA} attn_gate",
        n_layer=4,
        head_dim=32,
        shapes={"attn_gate": ("n_head", "n_embd")},
        metadata={
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": np.array([True, True, False, True]),
            "rope.dimension_count": 16,
            "rope.dimension_count_swa": 32,
            "rope.freq_base": 1e6,
            "rope.freq_base_swa": 1e4,
        },
    ),
    RandomModel(
        "minicpm3",
        "minicpm3",
        "attn_norm attn_q_a attn_q_a_norm attn_q_b attn_kv_a_mqa attn_kv_a_norm attn_kv_b attn_output"
        " ffn_norm ffn_gate ffn_up ffn_down",
        rest="output_norm output rope_factors_long rope_factors_short",
        n_head_kv=4,
        shapes={
            "attn_q_a": ("n_lora_q", "n_embd"),
            "attn_q_a_norm": ("n_lora_q",),
            "attn_q_b": ("n_mla_q", "n_lora_q"),
            "attn_kv_a_mqa": ("n_lora_kv_rot", "n_embd"),
            "attn_kv_a_norm": ("n_lora_kv",),
            "attn_kv_b": ("n_mla_kv", "n_lora_kv"),
            "attn_output": ("n_embd", "n_mla_out"),
        },
        metadata={
            "attention.q_lora_rank": 48,
            "attention.kv_lora_rank": 32,
            "attention.key_length": 24,
            "attention.value_length": 20,
            "rope.dimension_count": 8,
            "rope.scaling.type": "longrope",
            "rope.scaling.original_context_length": 16,
            "rope.scaling.attn_factor": 1.2,
        },
    ),
)
