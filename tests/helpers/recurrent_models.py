"""Tiny random models of the architectures with recurrent or short-convolution layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.expert_models import DENSE, EXPERTS, SHARED
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
        shapes={"attn_q": ("n_q_2", "n_embd"), "attn_qkv": ("n_conv", "n_embd")},
        only_in={
            **dict.fromkeys(_ATTENTION.split(), layers[False]),
            **dict.fromkeys(f"{_DELTA_NET} ssm_ba".split(), layers[True]),
        },
    )


RECURRENT_MODELS: tuple[RandomModel, ...] = (
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
