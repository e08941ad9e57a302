"""What rows of the tables of random models share: names of a layer's tensors, and some metadata."""

from __future__ import annotations

import numpy as np

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
GPT2 = (
    "attn_norm attn_norm.bias attn_qkv attn_qkv.bias attn_output attn_output.bias"
    " ffn_norm ffn_norm.bias ffn_up ffn_up.bias ffn_down ffn_down.bias"
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
