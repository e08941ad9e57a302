"""Tiny random models of the architectures with experts: one row each."""

from __future__ import annotations

from helpers.dense_models import YARN
from helpers.random_models import RandomModel

ATTENTION = "attn_norm attn_q attn_k attn_v attn_output ffn_norm"
BIASED_ATTENTION = f"{ATTENTION} attn_q.bias attn_k.bias attn_v.bias"
OSS_ATTENTION = BIASED_ATTENTION.replace("ffn_norm", "post_attention_norm")
EXPERTS = "ffn_gate_inp ffn_gate_exps ffn_up_exps ffn_down_exps"
SHARED = "ffn_gate_shexp ffn_up_shexp ffn_down_shexp"

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
        metadata={
            **YARN,
            "attention.sliding_window": 12,
            "expert_count": 8,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
            "rope.freq_base": 1.5e5,
        },
    ),
)
