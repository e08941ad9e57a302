"""Tiny random models of the architectures with recurrent or short-convolution layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.expert_layers import DENSE, EXPERTS, LATENT_SHAPES, SHARED
from helpers.random_models import RandomModel

_ATTENTION = "attn_q attn_k attn_v attn_q_norm attn_k_norm attn_output"
_SHORT_CONV = "shortconv.in_proj shortconv.conv shortconv.out_proj"
LFM2 = f"attn_norm {_ATTENTION} {_SHORT_CONV} ffn_norm ffn_gate ffn_up ffn_down"


def _lfm2(
    name: str, attends: tuple[int, ...], n_taps: int, *, arch: str = "lfm2", layer: str = LFM2, **rest: Any
) -> RandomModel:
    n_layer, n_head_kv = 4, 2
    heads = np.array([n_head_kv * (i in attends) for i in range(n_layer)], np.int32)
    convolves = tuple(i for i in range(n_layer) if i not in attends)
    return RandomModel(
        name,
        arch,
        layer,
        rest="token_embd_norm",
        n_layer=n_layer,
        n_head_kv=n_head_kv,
        metadata={
            "attention.head_count_kv": heads,
            "shortconv.l_cache": n_taps,
            "rope.freq_base": 1e6,
            **rest.pop("metadata", {}),
        },
        only_in={
            **dict.fromkeys(_ATTENTION.split(), attends),
            **dict.fromkeys(_SHORT_CONV.split(), convolves),
            **rest.pop("only_in", {}),
        },
    )


_DELTA_NET = "attn_qkv attn_gate ssm_conv1d ssm_alpha ssm_dt.bias ssm_a ssm_beta ssm_norm ssm_out"
QWEN35 = f"attn_norm {_ATTENTION} {_DELTA_NET} post_attention_norm ffn_gate ffn_up ffn_down"

QWEN35MOE = QWEN35.replace(DENSE, f"{EXPERTS} {SHARED} ffn_gate_inp_shexp")
SECTIONS = {"rope.dimension_sections": np.array([3, 3, 2, 0], np.int32)}
QWEN35_EXPERTS = {
    "full_attention_interval": 2,
    "expert_count": 10,
    "expert_used_count": 3,
    "expert_feed_forward_length": 64,
    "expert_shared_feed_forward_length": 32,
}


def _qwen35(
    name: str,
    recurrent: tuple[bool, ...],
    n_head_k: int,
    metadata: dict[str, Any],
    *,
    arch: str = "qwen35",
    layer: str = QWEN35,
) -> RandomModel:
    """Heads of 32 columns of which RoPE turns 16; 4 value heads."""
    layers = {r: tuple(i for i, found in enumerate(recurrent) if found is r) for r in (False, True)}
    return RandomModel(
        name,
        arch,
        layer,
        n_layer=len(recurrent),
        head_dim=32,
        metadata={
            "rope.dimension_count": 16,
            "rope.freq_base": 1e4,
            "ssm.conv_kernel": 4,
            "ssm.state_size": 32,
            "ssm.group_count": n_head_k,
            "ssm.time_step_rank": 4,
            "ssm.inner_size": 128,
            **metadata,
        },
        shapes={
            "attn_q": ("n_q_2", "n_embd"),
            "attn_qkv": ("n_conv", "n_embd"),
            "ssm_in": ("n_qkv_gate", "n_embd"),
        },
        only_in={
            **dict.fromkeys(_ATTENTION.split(), layers[False]),
            **dict.fromkeys(f"{_DELTA_NET} ssm_ba ssm_in".split(), layers[True]),
        },
    )


MAMBA2 = "ssm_in ssm_conv1d ssm_conv1d.bias ssm_dt.bias ssm_a ssm_d ssm_norm ssm_out"
_MAMBA2_SHAPES = {"ssm_a": ("n_head_v", "one"), "ssm_norm": ("n_group", "n_value_group")}
_MAMBA2_KEYS = {
    "ssm.conv_kernel": 4,
    "ssm.state_size": 24,
    "ssm.group_count": 2,
    "ssm.time_step_rank": 4,
    "ssm.inner_size": 128,
}
MAMBA = "ssm_in ssm_conv1d ssm_conv1d.bias ssm_x ssm_dt ssm_dt.bias ssm_a ssm_d ssm_out"
_MAMBA_SHAPES = {
    "ssm_in": ("n_value_2", "n_embd"),
    "ssm_conv1d": ("n_value", "n_taps"),
    "ssm_x": ("n_ssm_x", "n_value"),
    "ssm_dt": ("n_value", "n_head_v"),
    "ssm_a": ("n_value", "n_state"),
    "ssm_d": ("n_value",),
}
_MAMBA_KEYS = {"ssm.conv_kernel": 3, "ssm.state_size": 16, "ssm.time_step_rank": 8, "ssm.inner_size": 128}
_NO_ATTENTION = {"feed_forward_length": 0, "attention.head_count": 0, "attention.head_count_kv": 0}


def _mixed(
    name: str,
    arch: str,
    kinds: str,
    layer: str,
    metadata: dict[str, Any],
    only_in: dict[str, tuple[int, ...]] | None = None,
    **rest: Any,
) -> RandomModel:
    """Layers of Mamba-2 (m), of attention (a) and of a feed-forward network alone (f)."""
    where = {kind: tuple(i for i, own in enumerate(kinds) if own == kind) for kind in "maf"}
    heads = np.array([2 * (kind == "a") for kind in kinds], np.int32)
    return RandomModel(
        name,
        arch,
        f"attn_norm {_PLAIN_ATTENTION} {MAMBA2} {layer}",
        n_layer=len(kinds),
        shapes={**_MAMBA2_SHAPES, **rest.pop("shapes", {})},
        metadata={**_MAMBA2_KEYS, "attention.head_count_kv": heads, **metadata},
        only_in={
            **dict.fromkeys(MAMBA2.split(), where["m"]),
            **dict.fromkeys(_PLAIN_ATTENTION.split(), where["a"]),
            **(only_in or dict.fromkeys(layer.split(), where["f"])),
        },
        **rest,
    )


_PLAIN_ATTENTION = "attn_q attn_k attn_v attn_output"
_ALL = (0, 1, 2)
_RELU_EXPERTS = "ffn_gate_inp exp_probs_b.bias ffn_up_exps ffn_down_exps ffn_up_shexp ffn_down_shexp"
_GRANITE = {
    "embedding_scale": 6.0,
    "residual_scale": 0.4,
    "attention.scale": 0.4,
    "logit_scale": 0.5,
}
_NEMOTRON_EXPERTS = {
    "feed_forward_length": np.array([0, 64, 0, 64], np.int32),
    "attention.layer_norm_epsilon": 0.01,
    "expert_count": 12,
    "expert_used_count": 3,
    "expert_feed_forward_length": 64,
    "expert_shared_feed_forward_length": 48,
    "expert_shared_count": 1,
    "expert_weights_norm": True,
    "expert_weights_scale": 2.5,
    "expert_group_count": 1,
}

_KDA = "ssm_conv1d_q ssm_conv1d_k ssm_conv1d_v ssm_f_a ssm_f_b ssm_g_a ssm_g_b ssm_a ssm_dt.bias"
_KDA = f"{_KDA} ssm_beta ssm_norm"
_LATENT = "attn_kv_a_mqa attn_kv_a_norm attn_k_b attn_v_b"
_KDA_LAYERS, _LATENT_LAYERS = (0, 2), (1, 3)

RECURRENT_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "kimi-linear",
        "kimi-linear",
        f"attn_norm attn_q attn_k attn_v {_KDA} {_LATENT} attn_output ffn_norm {DENSE} {EXPERTS} {SHARED}"
        " exp_probs_b.bias",
        n_layer=4,
        shapes={
            **LATENT_SHAPES,
            **{
                f"{i}.{name}": shape
                for i in _KDA_LAYERS
                for name, shape in {
                    **dict.fromkeys(("attn_q", "attn_k", "attn_v"), ("n_inner", "n_embd")),
                    "attn_output": ("n_embd", "n_inner"),
                }.items()
            },
            "ssm_a": ("n_head", "one"),
            "ssm_dt": ("n_inner",),
            "ssm_beta": ("n_head", "n_embd"),
            "ssm_norm": ("n_kda",),
        },
        only_in={
            **dict.fromkeys((*_KDA.split(), "attn_k", "attn_v"), _KDA_LAYERS),
            **dict.fromkeys(_LATENT.split(), _LATENT_LAYERS),
            **dict.fromkeys(DENSE.split(), (0,)),
            **dict.fromkeys(f"{EXPERTS} {SHARED} exp_probs_b.bias".split(), (1, 2, 3)),
        },
        metadata={
            "attention.head_count_kv": np.array([0, 1, 0, 1], np.int32),
            "attention.kv_lora_rank": 32,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 20,
            "rope.dimension_count": 8,
            "ssm.conv_kernel": 4,
            "kda.head_dim": 20,
            "expert_count": 16,
            "expert_used_count": 4,
            "expert_feed_forward_length": 32,
            "expert_shared_count": 1,
            "expert_weights_scale": 1.7,
            "expert_gating_func": 2,
            "leading_dense_block_count": 1,
        },
    ),
    RandomModel(
        "mamba2",
        "mamba2",
        f"attn_norm {MAMBA2}",
        shapes=_MAMBA2_SHAPES,
        metadata={**_NO_ATTENTION, **_MAMBA2_KEYS},
    ),
    RandomModel(
        "mamba2-one-group",
        "mamba2",
        f"attn_norm {MAMBA2}",
        rest="output_norm",
        shapes=_MAMBA2_SHAPES,
        metadata={**_NO_ATTENTION, **_MAMBA2_KEYS, "ssm.group_count": 1},
    ),
    RandomModel(
        "mamba",
        "mamba",
        f"attn_norm {MAMBA}",
        rest="output_norm",
        shapes=_MAMBA_SHAPES,
        metadata={**_NO_ATTENTION, **_MAMBA_KEYS},
    ),
    RandomModel(
        "falcon-mamba",
        "mamba",
        f"attn_norm {MAMBA}",
        shapes=_MAMBA_SHAPES,
        metadata={**_NO_ATTENTION, **_MAMBA_KEYS, "ssm.dt_b_c_rms": True},
    ),
    RandomModel(
        "jamba",
        "jamba",
        f"attn_norm {_PLAIN_ATTENTION} {MAMBA} ssm_dt_norm ssm_b_norm ssm_c_norm ffn_norm {DENSE} {EXPERTS}",
        n_layer=4,
        shapes=_MAMBA_SHAPES,
        metadata={
            **_MAMBA_KEYS,
            "attention.head_count_kv": np.array([0, 2, 0, 0], np.int32),
            "expert_count": 8,
            "expert_used_count": 2,
        },
        only_in={
            **dict.fromkeys(_PLAIN_ATTENTION.split(), (1,)),
            **dict.fromkeys(f"{MAMBA} ssm_dt_norm ssm_b_norm ssm_c_norm".split(), (0, 2, 3)),
            **dict.fromkeys(DENSE.split(), (0, 2)),
            **dict.fromkeys(EXPERTS.split(), (1, 3)),
        },
    ),
    _mixed(
        "nemotron_h",
        "nemotron_h",
        "mfmaf",
        "ffn_up ffn_down",
        {
            "feed_forward_length": np.array([0, 96, 0, 0, 96], np.int32),
            "attention.layer_norm_epsilon": 0.02,
        },
        head_dim=32,
    ),
    _mixed("nemotron_h_moe", "nemotron_h_moe", "mfaf", _RELU_EXPERTS, _NEMOTRON_EXPERTS),
    _mixed(
        "nemotron_h_moe-latent",
        "nemotron_h_moe",
        "mfaf",
        f"{_RELU_EXPERTS} ffn_latent_down ffn_latent_up",
        {**_NEMOTRON_EXPERTS, "moe_latent_size": 32},
        epsilon="attention.layer_norm_epsilon",
        shapes={
            "ffn_up_exps": ("n_expert", "n_ff_exp", "n_latent"),
            "ffn_down_exps": ("n_expert", "n_latent", "n_ff_exp"),
        },
    ),
    _mixed(
        "granitehybrid",
        "granitehybrid",
        "mam",
        f"ffn_norm {EXPERTS} {SHARED}",
        {
            **_GRANITE,
            "rope.scaling.finetuned": False,
            "expert_count": 10,
            "expert_used_count": 3,
            "expert_shared_feed_forward_length": 64,
        },
        dict.fromkeys(f"ffn_norm {EXPERTS} {SHARED}".split(), _ALL),
    ),
    _mixed(
        "granitehybrid-dense",
        "granitehybrid",
        "ama",
        f"ffn_norm {DENSE}",
        {**_GRANITE, "rope.scaling.finetuned": True},
        dict.fromkeys(f"ffn_norm {DENSE}".split(), _ALL),
    ),
    RandomModel(
        "falcon-h1",
        "falcon-h1",
        f"attn_norm {_PLAIN_ATTENTION} {MAMBA2} ffn_norm {DENSE}".replace(" ssm_norm", ""),
        alone=("ffn_norm",),
        shapes=_MAMBA2_SHAPES,
        metadata={**_MAMBA2_KEYS, "rope.freq_base": 1e6},
    ),
    _lfm2("lfm2", (1,), 3),
    # The last layer convolves, and so many taps reach over several chunks of a prompt.
    _lfm2("lfm2-swa", (0, 2), 5, metadata={"attention.sliding_window": 12}),
    _qwen35("qwen35", (True, False, True, False), 2, {**SECTIONS, "full_attention_interval": 2}),
    # The last layer is recurrent, and every value head has a key head of its own.
    _qwen35(
        "qwen35-listed",
        (True, False, True),
        4,
        {**SECTIONS, "attention.recurrent_layers": np.array([True, False, True])},
    ),
    _qwen35(
        "qwen35moe",
        (True, False, True, False),
        2,
        {**SECTIONS, **QWEN35_EXPERTS},
        arch="qwen35moe",
        layer=QWEN35MOE,
    ),
    _qwen35(
        "qwen3next",
        (True, False, True, False),
        2,
        QWEN35_EXPERTS,
        arch="qwen3next",
        layer=QWEN35MOE.replace("ssm_alpha", "ssm_ba").replace("ssm_beta ", ""),
    ),
    _qwen35(
        "qwen3next-fused",
        (True, False, True, False),
        2,
        QWEN35_EXPERTS,
        arch="qwen3next",
        layer=QWEN35MOE.replace("ssm_alpha", "ssm_ba")
        .replace("ssm_beta ", "")
        .replace("attn_qkv attn_gate", "ssm_in"),
    ),
    _lfm2(
        "lfm2moe",
        (1,),
        3,
        arch="lfm2moe",
        layer=f"{LFM2} {EXPERTS} exp_probs_b.bias",
        metadata={
            "leading_dense_block_count": 1,
            "expert_count": 8,
            "expert_used_count": 2,
            "expert_feed_forward_length": 64,
            "expert_gating_func": 2,
        },
        only_in={
            **dict.fromkeys(DENSE.split(), (0,)),
            **dict.fromkeys(f"{EXPERTS} exp_probs_b.bias".split(), (1, 2, 3)),
        },
    ),
)
