"""Tiny random models of Gemma's architectures."""

from __future__ import annotations

import numpy as np
from helpers.random_layers import LLAMA, POST_NORMS
from helpers.random_models import RandomModel

GEMMA4 = f"{POST_NORMS} attn_q_norm attn_k_norm"
GEMMA4_LOCAL = {
    "attn_q": ("n_q_local", "n_embd"),
    "attn_k": ("n_kv_local", "n_embd"),
    "attn_v": ("n_kv_local", "n_embd"),
    "attn_q_norm": ("local_dim",),
    "attn_k_norm": ("local_dim",),
    "attn_output": ("n_embd", "n_q_local"),
}
GEMMA4_SIZES = {"local_dim": 16, "n_q_local": 64, "n_kv_local": 32}
GEMMA4_KEYS = {
    "attention.sliding_window": 12,
    "attention.key_length_swa": 16,
    "attention.value_length_swa": 16,
    "rope.dimension_count": 32,
    "rope.dimension_count_swa": 8,
    "rope.freq_base": 1e6,
    "rope.freq_base_swa": 1e4,
    "final_logit_softcapping": 2.0,
}
WIDE = {"ffn_gate": ("n_ff_2", "n_embd"), "ffn_up": ("n_ff_2", "n_embd"), "ffn_down": ("n_embd", "n_ff_2")}

GEMMA_MODELS: tuple[RandomModel, ...] = (
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
    RandomModel(
        "gemma4",
        "gemma4",
        f"{GEMMA4} inp_gate proj post_norm layer_output_scale",
        rest="output_norm rope_freqs per_layer_token_embd per_layer_model_proj per_layer_proj_norm",
        n_layer=7,
        n_head_kv=1,
        head_dim=32,
        sizes=GEMMA4_SIZES,
        shapes={
            **{f"{i}.{name}": shape for i in (0, 1, 3, 5) for name, shape in GEMMA4_LOCAL.items()},
            **{f"{i}.{name}": shape for i in (5, 6) for name, shape in WIDE.items()},
        },
        only_in={"attn_k": (0, 1, 2, 3, 4), "attn_v": (0, 1, 2, 3), "attn_k_norm": (0, 1, 2, 3, 4)},
        metadata={
            **GEMMA4_KEYS,
            "attention.sliding_window_pattern": np.array([True, True, False, True, False, True, False]),
            "attention.head_count_kv": np.array([2, 2, 1, 2, 1, 2, 1], np.int32),
            "attention.shared_kv_layers": 2,
            "embedding_length_per_layer_input": 32,
            "feed_forward_length": np.array([96, 96, 96, 96, 96, 192, 192], np.int32),
        },
    ),
    RandomModel(
        "gemma4-plain",
        "gemma4",
        GEMMA4,
        rest="output_norm rope_freqs",
        n_layer=3,
        n_head_kv=1,
        head_dim=32,
        sizes=GEMMA4_SIZES,
        shapes={f"{i}.{name}": shape for i in (0, 1) for name, shape in GEMMA4_LOCAL.items()},
        metadata={
            **GEMMA4_KEYS,
            "attention.sliding_window_pattern": np.array([True, True, False]),
            "attention.head_count_kv": np.array([2, 2, 1], np.int32),
            "embedding_length_per_layer_input": 0,
        },
    ),
    RandomModel(
        "gemma4-26b",
        "gemma4",
        f"{GEMMA4} layer_output_scale ffn_gate_inp ffn_gate_inp.scale ffn_gate_up_exps ffn_down_exps"
        " ffn_down_exps.scale pre_ffw_norm_2 post_ffw_norm_1 post_ffw_norm_2",
        rest="output_norm rope_freqs",
        n_layer=3,
        n_head_kv=1,
        head_dim=32,
        gains={"ffn_gate_inp": 24.0},
        sizes=GEMMA4_SIZES,
        shapes={f"{i}.{name}": shape for i in (0, 1) for name, shape in GEMMA4_LOCAL.items()},
        only_in={"attn_v": (0, 1), "layer_output_scale": (0,)},
        metadata={
            **GEMMA4_KEYS,
            "attention.sliding_window_pattern": np.array([True, True, False]),
            "attention.head_count_kv": np.array([2, 2, 1], np.int32),
            "embedding_length_per_layer_input": 0,
            "expert_count": 10,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
        },
    ),
    RandomModel(
        "gemma3n",
        "gemma3n",
        f"{GEMMA4} inp_gate proj post_norm laurel_l laurel_r laurel_post_norm altup_router altup_router_norm"
        " altup_predict_coef altup_correct_coef altup_correct_scale",
        rest="output_norm altup_proj altup_unembd_proj per_layer_token_embd per_layer_model_proj"
        " per_layer_proj_norm",
        # What llama.cpp does not read: 20 layers with keys and values, 10 sparse ones, and these widths.
        n_layer=22,
        n_embd=32,
        n_head_kv=1,
        head_dim=8,
        n_ff=64,
        sizes={"n_streams": 4, "n_added": 3, "n_coefficients": 16, "n_laurel": 64},
        metadata={
            "attention.sliding_window": 12,
            "attention.shared_kv_layers": 2,
            "embedding_length_per_layer_input": 256,
            "altup.num_inputs": 4,
            "altup.active_idx": 0,
            "activation_sparsity_scale": np.array([1.6448533535003662] * 10 + [-np.inf] * 12, np.float32),
            "rope.freq_base": 1e6,
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
