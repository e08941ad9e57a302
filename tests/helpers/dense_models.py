"""Tiny random models of the dense architectures, with windows and contexts that the goldens outgrow."""

from __future__ import annotations

import numpy as np
from helpers.random_models import RandomModel

LLAMA = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down"
LLAMA_BIASES = f"{LLAMA} attn_q.bias attn_k.bias attn_v.bias"
POST_NORMS = f"{LLAMA} post_attention_norm post_ffw_norm"
NORMS_BEHIND = (
    "attn_q attn_k attn_v attn_q_norm attn_k_norm attn_output post_attention_norm"
    " ffn_gate ffn_up ffn_down post_ffw_norm"
)
UNGATED_BIASES = (
    "attn_norm attn_norm.bias attn_q attn_q.bias attn_k attn_k.bias attn_v attn_v.bias attn_output"
    " attn_output.bias ffn_norm ffn_norm.bias ffn_up ffn_up.bias ffn_down ffn_down.bias"
)
PARALLEL = "attn_norm attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down"
LAYER_NORM = "attention.layer_norm_epsilon"
BIASED_HEAD = "output_norm output_norm.bias output"
YARN = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 16,
}
HALF_FF = ("n_ff_half", "n_embd")
PERIOD_OF_4 = np.array([True, True, True, False, True])

DENSE_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "mistral3",
        "mistral3",
        LLAMA,
        head_dim=32,
        metadata={
            **YARN,
            "rope.dimension_count": 32,
            "rope.freq_base": 1e6,
            "rope.scaling.yarn_beta_fast": 0.3,
            "rope.scaling.yarn_beta_slow": 0.02,
            "rope.scaling.yarn_log_multiplier": 0.5,
            "attention.temperature_scale": 0.3,
        },
    ),
    RandomModel("gemma", "gemma", LLAMA, rest="output_norm", n_head_kv=1, head_dim=32),
    RandomModel(
        "gemma2",
        "gemma2",
        POST_NORMS,
        rest="output_norm",
        n_layer=3,
        head_dim=32,
        metadata={
            "attention.sliding_window": 12,
            "attn_logit_softcapping": 4.0,
            "final_logit_softcapping": 2.0,
        },
    ),
    RandomModel("smollm3", "smollm3", LLAMA, rest="output_norm", n_layer=5, metadata=YARN),
    RandomModel(
        "granite",
        "granite",
        LLAMA,
        rest="output_norm",
        metadata={
            "embedding_scale": 6.0,
            "residual_scale": 0.4,
            "attention.scale": 0.4,
            "logit_scale": 0.5,
        },
    ),
    RandomModel(
        "granite-nope",
        "granite",
        LLAMA,
        metadata={"logit_scale": 3.0, "rope.scaling.finetuned": False},
    ),
    RandomModel(
        "olmo2",
        "olmo2",
        NORMS_BEHIND,
        shapes={"attn_q_norm": ("n_q",), "attn_k_norm": ("n_kv",)},
        metadata={"rope.freq_base": 5e5},
    ),
    RandomModel(
        "olmo2-swa",
        "olmo2",
        NORMS_BEHIND,
        n_layer=5,
        shapes={"attn_q_norm": ("n_q",), "attn_k_norm": ("n_kv",)},
        metadata={
            **YARN,
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": PERIOD_OF_4,
        },
    ),
    RandomModel(
        "glm4",
        "glm4",
        f"{POST_NORMS} attn_q.bias attn_k.bias attn_v.bias".replace(" ffn_gate", ""),
        shapes={"ffn_up": ("n_ff_2", "n_embd")},
        metadata={"rope.dimension_count": 8},
    ),
    RandomModel(
        "stablelm",
        "stablelm",
        f"{LLAMA_BIASES} attn_norm.bias ffn_norm.bias",
        rest=BIASED_HEAD,
        epsilon=LAYER_NORM,
        metadata={"rope.dimension_count": 4, "use_parallel_residual": True},
    ),
    RandomModel(
        "stablelm-parallel",
        "stablelm",
        f"{PARALLEL} attn_norm.bias attn_q_norm attn_k_norm",
        rest=BIASED_HEAD,
        epsilon=LAYER_NORM,
        shapes={"attn_q_norm": ("n_head", "head_dim"), "attn_k_norm": ("n_head_kv", "head_dim")},
        metadata={"rope.dimension_count": 4, "use_parallel_residual": True},
    ),
    RandomModel(
        "starcoder2", "starcoder2", UNGATED_BIASES, rest="output_norm output_norm.bias", epsilon=LAYER_NORM
    ),
    RandomModel(
        "cohere2",
        "cohere2",
        PARALLEL,
        rest="output_norm",
        n_layer=5,
        epsilon=LAYER_NORM,
        metadata={"attention.sliding_window": 12, "logit_scale": 0.25, "rope.dimension_count": 16},
    ),
    RandomModel(
        "command-r",
        "command-r",
        PARALLEL,
        rest="output_norm",
        epsilon=LAYER_NORM,
        metadata={"logit_scale": 0.0625, "rope.scaling.type": "none"},
    ),
    RandomModel(
        "command-r-plus",
        "command-r",
        f"{PARALLEL} attn_q_norm attn_k_norm",
        rest="output_norm",
        n_layer=64,
        n_embd=32,
        n_head=2,
        n_head_kv=1,
        n_ff=32,
        epsilon=LAYER_NORM,
        shapes={"attn_q_norm": ("n_head", "head_dim"), "attn_k_norm": ("n_head_kv", "head_dim")},
        metadata={"logit_scale": 0.8},
    ),
    RandomModel("exaone", "exaone", LLAMA, rest="output_norm output rope_freqs"),
    RandomModel("exaone4", "exaone4", NORMS_BEHIND, rest="output_norm rope_freqs"),
    RandomModel(
        "exaone4-swa",
        "exaone4",
        NORMS_BEHIND,
        n_layer=64,
        n_embd=32,
        n_head=2,
        n_head_kv=1,
        n_ff=32,
        metadata={"attention.sliding_window": 12},
    ),
    RandomModel("internlm2", "internlm2", LLAMA, metadata={"rope.freq_base": 1e6}),
    RandomModel(
        "minicpm",
        "minicpm",
        LLAMA,
        rest="output_norm",
        metadata={"embedding_scale": 5.0, "residual_scale": 0.6, "logit_scale": 0.7},
    ),
    RandomModel(
        "minicpm-longrope",
        "minicpm",
        LLAMA,
        rest="output_norm output rope_factors_long rope_factors_short",
        metadata={
            "rope.scaling.type": "longrope",
            "rope.scaling.original_context_length": 32,
            "rope.scaling.attn_factor": 1.2,
            "embedding_scale": 5.0,
            "residual_scale": 0.6,
            "logit_scale": 0.7,
        },
    ),
    RandomModel(
        "nemotron",
        "nemotron",
        UNGATED_BIASES,
        rest=BIASED_HEAD,
        epsilon=LAYER_NORM,
        metadata={"rope.dimension_count": 8},
    ),
    RandomModel(
        "falcon",
        "falcon",
        "attn_norm attn_norm.bias attn_qkv attn_output ffn_up ffn_down",
        rest="output_norm output_norm.bias",
        n_head_kv=1,
        epsilon=LAYER_NORM,
    ),
    RandomModel(
        "falcon-two-norms",
        "falcon",
        "attn_norm attn_norm.bias attn_norm_2 attn_norm_2.bias attn_qkv attn_output ffn_up ffn_down",
        rest=BIASED_HEAD,
        epsilon=LAYER_NORM,
    ),
    RandomModel(
        "gptneox",
        "gptneox",
        "attn_norm attn_norm.bias attn_qkv attn_qkv.bias attn_output attn_output.bias"
        " ffn_norm ffn_norm.bias ffn_up ffn_up.bias ffn_down ffn_down.bias",
        rest=BIASED_HEAD,
        n_head_kv=4,
        epsilon=LAYER_NORM,
        metadata={"rope.dimension_count": 4, "use_parallel_residual": True},
    ),
    RandomModel(
        "gptneox-sequential",
        "gptneox",
        "attn_norm attn_norm.bias attn_qkv attn_qkv.bias attn_output attn_output.bias"
        " ffn_norm ffn_norm.bias ffn_up ffn_up.bias ffn_down ffn_down.bias",
        rest=BIASED_HEAD,
        n_head_kv=4,
        epsilon=LAYER_NORM,
        metadata={"rope.dimension_count": 4, "use_parallel_residual": False},
    ),
    RandomModel(
        "hunyuan-dense", "hunyuan-dense", f"{LLAMA} attn_q_norm attn_k_norm", rest="output_norm", head_dim=32
    ),
    RandomModel("ernie4_5", "ernie4_5", LLAMA, rest="output_norm", metadata={"rope.freq_base": 5e5}),
    RandomModel(
        "seed_oss",
        "seed_oss",
        LLAMA_BIASES.replace("ffn_norm", "post_attention_norm"),
        head_dim=32,
        metadata={"rope.freq_base": 1e7},
    ),
    RandomModel(
        "olmo",
        "olmo",
        "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down",
        rest="",
        epsilon=LAYER_NORM,
        metadata={"attention.clamp_kqv": 2.5},
    ),
    RandomModel(
        "qwen",
        "qwen",
        "attn_norm attn_qkv attn_qkv.bias attn_output ffn_norm ffn_gate ffn_up ffn_down",
        n_head_kv=4,
        n_ff=192,
        shapes={"ffn_gate": HALF_FF, "ffn_up": HALF_FF, "ffn_down": ("n_embd", "n_ff_half")},
        metadata={"rope.dimension_count": 16},
    ),
    RandomModel("baichuan", "baichuan", LLAMA, n_layer=32, n_embd=32, n_head=2, n_head_kv=2, n_ff=32),
    RandomModel("arcee", "arcee", LLAMA.replace(" ffn_gate", ""), rest="output_norm output", metadata=YARN),
    RandomModel(
        "orion", "orion", f"{LLAMA} attn_norm.bias ffn_norm.bias", rest=BIASED_HEAD, epsilon=LAYER_NORM
    ),
    RandomModel("xverse", "xverse", LLAMA),
    RandomModel(
        "chatglm",
        "chatglm",
        "attn_norm attn_qkv attn_qkv.bias attn_output ffn_norm ffn_up ffn_down",
        shapes={"ffn_up": ("n_ff_2", "n_embd")},
        metadata={"rope.dimension_count": 8},
    ),
    RandomModel(
        "qwen2vl",
        "qwen2vl",
        LLAMA_BIASES,
        eps=1e-9,  # llama.cpp does not read it for this architecture, at the recorded commit, and takes 0
        metadata={"rope.dimension_sections": np.array([2, 3, 3, 0], np.int32), "rope.freq_base": 1e6},
    ),
    RandomModel(
        "qwen3vl",
        "qwen3vl",
        f"{LLAMA} attn_q_norm attn_k_norm",
        rest="output_norm",
        head_dim=32,
        metadata={
            "rope.dimension_sections": np.array([6, 5, 5, 0], np.int32),
            "rope.freq_base": 5e6,
            "n_deepstack_layers": 1,
        },
    ),
    RandomModel(
        "gemma3-softcap",
        "gemma3",
        f"{POST_NORMS} attn_q_norm attn_k_norm",
        rest="output_norm",
        n_layer=3,
        metadata={
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": np.array([True, False, True]),
            "final_logit_softcapping": 2.0,
        },
    ),
)
