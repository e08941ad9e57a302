"""Tiny random models of architectures that few files have, those with linear attention among them."""

from __future__ import annotations

import numpy as np
from goldens.tiny_vocab import N_VOCAB
from helpers.expert_layers import (
    ATTENTION,
    DEEPSEEK,
    DENSE,
    EXPERTS,
    FIRST_DENSE,
    LATENT,
    LATENT_SHAPES,
    LATER_EXPERTS,
    NORMED_HEADS,
    SHARED,
)
from helpers.random_layers import BIASED_HEAD, GPT2, LAYER_NORM, LLAMA
from helpers.random_models import RandomModel

_GROK = {"expert_count": 8, "expert_used_count": 2}
# What tests/goldens/make_random_logits.py lets models read.
PROMPT = np.random.RandomState(1).randint(0, N_VOCAB, 72)
_SCAN = "ssm_in ssm_conv1d ssm_x ssm_dt ssm_dt.bias ssm_a ssm_d ssm_b_norm ssm_c_norm ssm_dt_norm ssm_out"
_NORMED_QKV = "attn_qkv attn_q_norm attn_k_norm attn_output"
_POST_NORMS = ("post_attention_norm", "post_ffw_norm")
_LIGHTNING = "attn_qkv attn_gate attn_norm_2"
_QKV = "attn_q attn_k attn_v"
_ADAPTED = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
_ADAPTERS = tuple(f"{name}.lora_{part}" for name in _ADAPTED for part in "ab")
_ROWS = dict(zip(_ADAPTED, ("n_q", "n_kv", "n_kv", "n_embd", "n_ff", "n_ff", "n_embd"), strict=True))
_COLUMNS = {**dict.fromkeys(_ADAPTED, "n_embd"), "attn_output": "n_q", "ffn_down": "n_ff"}
_FUSED = LLAMA.replace(_QKV, "attn_qkv")
_VISUAL = "vis_attn_qkv vis_attn_output vis_gate vis_up vis_down"
_STREAMS = "hc_attn_fn hc_attn_scale hc_attn_base hc_ffn_fn hc_ffn_scale hc_ffn_base"
_STREAM_SHAPES = {"fn": ("n_stream_2", "n_streams"), "scale": ("two",), "base": ("n_stream_2",)}
_OUT_SHAPES = {"fn": ("n_stream", "n_streams"), "scale": ("one",), "base": ("n_stream",)}

MORE_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "openelm",
        "openelm",
        f"attn_norm {_NORMED_QKV} ffn_norm ffn_gate ffn_up ffn_down",
        rest="output_norm",
        n_layer=3,
        n_head=4,
        sizes={"n_qkv_1": 8 * 24, "n_q_1": 4 * 24, "n_qkv_2": 12 * 24, "n_q_2": 6 * 24, "n_ff_1": 128},
        shapes={
            **{f"{i}.attn_qkv": (f"n_qkv_{i}", "n_embd") for i in (1, 2)},
            **{f"{i}.attn_output": ("n_embd", f"n_q_{i}") for i in (1, 2)},
            **{f"1.{name}": ("n_ff_1", "n_embd") for name in ("ffn_gate", "ffn_up")},
            "1.ffn_down": ("n_embd", "n_ff_1"),
        },
        head_dim=24,
        metadata={
            "attention.head_count": np.array([4, 4, 6], np.int32),
            "attention.head_count_kv": np.array([2, 2, 3], np.int32),
            "feed_forward_length": np.array([96, 128, 96], np.int32),
            "rope.dimension_count": 24,
            "rope.freq_base": 1e4,
        },
    ),
    RandomModel(
        "codeshell",
        "codeshell",
        GPT2,
        rest=BIASED_HEAD,
        epsilon=LAYER_NORM,
        metadata={"rope.freq_base": 1e4, "rope.scaling.type": "linear", "rope.scaling.factor": 2.0},
    ),
    RandomModel(
        "plm",
        "plm",
        "attn_norm attn_q attn_kv_a_mqa attn_kv_a_norm attn_kv_b attn_output ffn_norm ffn_up ffn_down",
        rest="output_norm",
        n_head_kv=4,
        shapes={
            "attn_q": ("n_mla_q", "n_embd"),
            "attn_kv_a_mqa": ("n_lora_kv_rot", "n_embd"),
            "attn_kv_a_norm": ("n_lora_kv",),
            "attn_kv_b": ("n_mla_kv", "n_lora_kv"),
            "attn_output": ("n_embd", "n_mla_out"),
        },
        metadata={
            "attention.kv_lora_rank": 32,
            "attention.key_length": 24,
            "attention.value_length": 20,
            "rope.dimension_count": 8,
            "rope.freq_base": 1e4,
        },
    ),
    RandomModel(
        "plamo2",
        "plamo2",
        f"attn_norm {_NORMED_QKV} {_SCAN} {' '.join(_POST_NORMS)} ffn_norm ffn_up ffn_down",
        rest="output_norm",
        n_layer=4,
        head_dim=24,
        alone=(*_POST_NORMS, "ssm_b_norm", "ssm_c_norm", "ssm_dt_norm"),
        shapes={
            "attn_q_norm": ("n_head", "head_dim"),
            "attn_k_norm": ("n_head_kv", "head_dim"),
            "ffn_up": ("n_ff_2", "n_embd"),
            "ssm_in": ("n_value_2", "n_embd"),
            "ssm_conv1d": ("n_value", "n_taps"),
            "ssm_x": ("n_made", "n_value"),
            "ssm_dt": ("n_head_v", "n_step"),
            "ssm_dt_norm": ("n_step",),
            "ssm_d": ("n_head_v",),
        },
        sizes={"n_made": 64 + 2 * 24, "n_step": 64},
        only_in={**dict.fromkeys(_NORMED_QKV.split(), (0, 2)), **dict.fromkeys(_SCAN.split(), (1, 3))},
        metadata={
            "attention.head_count": np.array([4, 0, 4, 0], np.int32),
            "attention.head_count_kv": np.array([2, 0, 2, 0], np.int32),
            "ssm.conv_kernel": 4,
            "ssm.state_size": 24,
            "ssm.group_count": 0,
            "ssm.time_step_rank": 4,
            "ssm.inner_size": 80,
            "rope.freq_base": 1e4,
        },
    ),
    RandomModel(
        "maple",
        "maple",
        f"{NORMED_HEADS} {EXPERTS}",
        n_layer=4,
        head_dim=32,
        metadata={
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": np.array([True, True, False, True]),
            "rope.dimension_count": 16,
            "rope.freq_base": 1e4,
            "rope.freq_base_swa": 5e5,
            "expert_count": 10,
            "expert_used_count": 3,
            "expert_feed_forward_length": 64,
            "swiglu_clamp_exp": np.array([0.7, 0.0, 0.5, 0.9], np.float32),
        },
    ),
    RandomModel(
        "minimax-01",
        "minimax-01",
        f"{ATTENTION} {_LIGHTNING} {EXPERTS}",
        n_layer=4,
        shapes={
            "attn_qkv": ("n_q_3", "n_embd"),
            "attn_gate": ("n_q", "n_embd"),
            "attn_norm_2": ("n_q",),
        },
        head_dim=32,
        sizes={"n_q_3": 3 * 4 * 32},
        only_in={**dict.fromkeys(_QKV.split(), (1, 3)), **dict.fromkeys(_LIGHTNING.split(), (0, 2))},
        metadata={
            "full_attention_interval": 2,
            "residual_scale": 1.7,
            "rope.dimension_count": 16,
            "rope.freq_base": 1e6,
            "expert_count": 8,
            "expert_used_count": 2,
        },
    ),
    RandomModel(
        "hy_v4",
        "hy_v4",
        f"{LATENT} attn_q_a attn_q_a_norm attn_q_b attn_k_b attn_v_b attn_sinks attn_gate {_STREAMS}"
        f" {DENSE} {EXPERTS} {SHARED} exp_probs_b.bias",
        rest="output_norm output output_hc_fn output_hc_scale output_hc_base",
        n_layer=3,
        n_head_kv=1,
        shapes={
            **LATENT_SHAPES,
            "attn_gate": ("n_mla_out", "n_embd"),
            **{f"hc_{of}_{name}": shape for of in ("attn", "ffn") for name, shape in _STREAM_SHAPES.items()},
            **{f"output_hc_{name}": shape for name, shape in _OUT_SHAPES.items()},
        },
        only_in={**FIRST_DENSE, **LATER_EXPERTS},
        gains={f"{of}_fn": 2.0 for of in ("hc_attn", "hc_ffn", "output_hc")},
        sizes={"n_stream": 3, "n_stream_2": 6, "n_streams": 3 * 64, "two": 2},
        metadata={
            **DEEPSEEK,
            "attention.q_lora_rank": 24,
            "attention.kv_lora_rank": 32,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
            "rope.dimension_count": 8,
            "rope.freq_base": 1e4,
            "expert_gating_func": 2,
            "swiglu_clamp_exp": np.array([0.0, 0.6, 0.5], np.float32),
            "hyper_connection.count": 3,
            "hyper_connection.epsilon": 0.05,
            "hyper_connection.magnitude": 1.6,
        },
    ),
    RandomModel(
        "paddleocr",
        "paddleocr",
        LLAMA,
        metadata={
            "rope.dimension_sections": np.array([3, 3, 2, 0], np.int32),
            "rope.freq_base": 5e5,
        },
    ),
    RandomModel(
        "cogvlm",
        "cogvlm",
        f"{_FUSED} {_VISUAL}",
        n_head_kv=4,
        shapes={
            "vis_attn_qkv": ("n_qkv", "n_embd"),
            "vis_attn_output": ("n_embd", "n_q"),
            **dict.fromkeys(("vis_gate", "vis_up"), ("n_ff", "n_embd")),
            "vis_down": ("n_embd", "n_ff"),
        },
        metadata={"rope.freq_base": 1e4},
    ),
    RandomModel(
        "graniteswitch",
        "graniteswitch",
        f"{_FUSED} {' '.join(_ADAPTERS)}",
        rest="output_norm",
        n_layer=3,
        alone=_ADAPTERS,
        shapes={
            **{f"{name}.lora_a": ("n_slot", "n_rank", _COLUMNS[name]) for name in _ADAPTED},
            **{f"{name}.lora_b": ("n_slot", _ROWS[name], "n_rank") for name in _ADAPTED},
        },
        sizes={"n_slot": 4, "n_rank": 16},
        metadata={
            "embedding_scale": 6.0,
            "residual_scale": 0.4,
            "attention.scale": 0.4,
            "logit_scale": 0.5,
            "rope.scaling.finetuned": True,
            "adapters.count": 3,
            "adapters.lora_rank": 16,
            "adapters.token_ids_activate": np.array([PROMPT[40], 3, PROMPT[10]], np.int32),
            "adapters.token_ids_substitute": np.array([7, 8, 9], np.int32),
            "adapters.router_gain": 2.0,
        },
    ),
    RandomModel(
        "grok",
        "grok",
        f"{ATTENTION} {EXPERTS} attn_output_norm layer_output_norm",
        metadata={**_GROK, "embedding_scale": 1.5, "logit_scale": 0.6, "rope.freq_base": 1e4},
    ),
    RandomModel(
        "grok-dense",
        "grok",
        f"{ATTENTION} {DENSE} {EXPERTS} attn_output_norm post_ffw_norm",
        metadata={
            **_GROK,
            "expert_feed_forward_length": 64,
            "attention.output_scale": 0.3,
            "attn_logit_softcapping": 3.0,
            "router_logit_softcapping": 30.0,
            "final_logit_softcapping": 2.0,
            "attention.temperature_length": 256,
        },
    ),
)
