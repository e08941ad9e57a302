"""What the layers of tiny models with experts are made of: tensors, their shapes, and metadata."""

from __future__ import annotations

from helpers.random_layers import YARN

ATTENTION = "attn_norm attn_q attn_k attn_v attn_output ffn_norm"
NORMED_HEADS = f"{ATTENTION} attn_q_norm attn_k_norm"
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
INDEXER = "indexer.attn_q_b indexer.attn_k indexer.k_norm indexer.k_norm.bias indexer.proj"
SPARSE_SHAPES = {
    **LATENT_SHAPES,
    "indexer.attn_q_b": ("n_index_q", "n_lora_q"),
    "indexer.attn_k": ("n_index_k", "n_embd"),
    "indexer.k_norm": ("n_index_k",),
    "indexer.proj": ("n_index_head", "n_embd"),
}
SPARSE_SIZES = {"n_index_head": 7, "n_index_k": 64, "n_index_q": 7 * 64}
SPARSE_KEYS = {
    **DEEPSEEK,
    "rope.dimension_count": 8,
    "attention.kv_lora_rank": 32,
    "attention.q_lora_rank": 48,
    "attention.key_length": 40,
    "attention.value_length": 32,
    "attention.key_length_mla": 24,
    "attention.value_length_mla": 20,
    "attention.indexer.head_count": 7,
    "attention.indexer.key_length": 64,
    "attention.indexer.top_k": 24,
    "expert_gating_func": 2,
    "expert_group_count": 4,
    "expert_group_used_count": 2,
}
SPARSE = f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_k_b attn_v_b {INDEXER} {DENSE} {EXPERTS} {SHARED}"
WINDOWED_SHAPES = {
    "attn_q_b": ("n_swa_q", "n_lora_q"),
    "attn_kv_a_mqa": ("n_swa_kv_rot", "n_embd"),
    "attn_kv_a_norm": ("n_swa_kv",),
    "attn_k_b": ("n_swa_head", "n_swa_kv", "n_swa_nope"),
    "attn_v_b": ("n_swa_head", "n_swa_v", "n_swa_kv"),
    "attn_output": ("n_embd", "n_swa_out"),
    "attn_gate": ("n_swa_head", "n_embd"),
}
LITE_NAMES = f"{DENSE} ffn_gate_inp ffn_gate_up_exps ffn_down_exps {SHARED}".split()
