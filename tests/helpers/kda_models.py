"""Tiny random models of architectures with Kimi delta attention beside latent attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.expert_layers import DENSE, EXPERTS, LATENT_SHAPES, SHARED
from helpers.random_models import RandomModel

_KDA = "attn_k attn_v ssm_conv1d_q ssm_conv1d_k ssm_conv1d_v ssm_a ssm_dt.bias ssm_beta ssm_norm ssm_f_a"
_LATENT = "attn_kv_a_mqa attn_kv_a_norm attn_k_b attn_v_b attn_gate"
_LOW_RANK_QUERIES = "attn_q_a attn_q_a_norm attn_q_b"
_MIXTURE = f"{EXPERTS} {SHARED} exp_probs_b.bias"
_KEYS: dict[str, Any] = {
    "attention.kv_lora_rank": 32,
    "attention.key_length": 40,
    "attention.key_length_mla": 24,
    "attention.value_length_mla": 20,
    "rope.dimension_count": 8,
    "ssm.conv_kernel": 4,
    "kda.head_dim": 20,
    "expert_count": 16,
    "expert_used_count": 4,
    "expert_feed_forward_length": 32,
    "expert_shared_count": 1,
    "expert_weights_norm": True,
    "expert_weights_scale": 1.7,
    "expert_gating_func": 2,
    "leading_dense_block_count": 1,
}


def _model(
    name: str,
    arch: str,
    kinds: str,
    *,
    queries: tuple[str, str],
    own: tuple[str, str],
    metadata: dict[str, Any],
    shapes: dict[str, tuple[str, ...]],
    **rest: Any,
) -> RandomModel:
    """Layers of delta attention (k) and of latent attention (m).

    `queries` are names of the matrices of queries, of layers of either kind, `own` further ones.
    """
    where = {kind: tuple(i for i, each in enumerate(kinds) if each == kind) for kind in "km"}
    n_layer, later = len(kinds), tuple(range(1, len(kinds)))
    of_delta = dict.fromkeys(("attn_q", "attn_k", "attn_v"), ("n_inner", "n_embd"))
    kda, latent = f"{_KDA} {own[0]}".split(), f"{_LATENT} {own[1]}".split()
    only_in = {
        **dict.fromkeys(kda, where["k"]),
        **dict.fromkeys(latent, where["m"]),
        **dict.fromkeys(DENSE.split(), (0,)),
        **dict.fromkeys(f"{_MIXTURE} {rest.pop('experts', '')}".split(), later),
    }
    for query, kind in zip(queries, "km", strict=True):
        only_in |= {each: only_in.get(each, ()) + where[kind] for each in query.split()}
    names = dict.fromkeys(["attn_norm", *only_in, "attn_output", "ffn_norm"])
    return RandomModel(
        name,
        arch,
        f"{' '.join(names)} {rest.pop('layer', '')}",
        n_layer=n_layer,
        shapes={
            **LATENT_SHAPES,
            **{
                f"{i}.{each}": shape
                for i in where["k"]
                for each, shape in {**of_delta, "attn_output": ("n_embd", "n_inner")}.items()
            },
            "ssm_dt": ("n_inner",),
            "ssm_beta": ("n_head", "n_embd"),
            "ssm_norm": ("n_kda",),
            **shapes,
        },
        only_in=only_in,
        gains={"ssm_a": 5.0} if "kda.gate_lower_bound" in metadata else {},
        metadata={
            **_KEYS,
            "attention.head_count_kv": np.array([int(kind == "m") for kind in kinds], np.int32),
            **metadata,
        },
        **rest,
    )


_LIMITS = np.array([0.0, 0.6, 0.8, 0.7], np.float32)
_WHOLE = {
    "ssm_f_a": ("n_inner", "n_embd"),
    "ssm_g_a": ("n_inner", "n_embd"),
    "attn_gate": ("n_head", "n_embd"),
}
_SITU = {"activation.situ_beta": 1.5, "activation.situ_linear_beta": 2.0}
_SCORES = "attn_res_score ffn_res_score"
_ROUTED = "ffn_routed_down ffn_routed_up ffn_routed_norm"
_K3_SHAPES = {
    "ssm_a": ("n_head",),
    "ssm_g": ("n_inner", "n_embd"),
    "attn_gate": ("n_mla_out", "n_embd"),
    "attn_res_score": ("n_embd",),
    "ffn_res_score": ("n_embd",),
    "output_res_score": ("n_embd",),
    "ffn_routed_down": ("n_latent", "n_embd"),
    "ffn_routed_up": ("n_embd", "n_latent"),
    "ffn_routed_norm": ("n_latent",),
}

KDA_MODELS: tuple[RandomModel, ...] = (
    _model(
        "bailingmoe3",
        "bailingmoe3",
        "kmkm",
        queries=("attn_q", _LOW_RANK_QUERIES),
        own=("ssm_g_a", ""),
        shapes={**_WHOLE, "ssm_a": ("n_head", "one")},
        metadata={
            "attention.q_lora_rank": 24,
            "attention.value_length": 24,
            "kda.safe_gate": True,
            "kda.gate_lower_bound": -2.0,
            "rope.freq_base": 1e4,
            "expert_shared_feed_forward_length": 48,
            "swiglu_clamp_exp": _LIMITS,
            "swiglu_clamp_shexp": _LIMITS[::-1].copy(),
        },
    ),
    _model(
        "bailingmoe3-images",
        "bailingmoe3",
        "km",
        queries=("attn_q", "attn_q"),
        own=("ssm_g_a", ""),
        shapes={**_WHOLE, "ssm_a": ("n_head", "one")},
        metadata={
            "kda.gate_lower_bound": -2.0,
            "rope.dimension_sections": np.array([2, 1, 1, 0], np.int32),
            "rope.freq_base": 1e4,
        },
    ),
    _model(
        "kimi-k3",
        "kimi-k3",
        "kkmkm",
        queries=("attn_q", _LOW_RANK_QUERIES),
        own=("ssm_f_b ssm_g", ""),
        experts=_ROUTED,
        layer=_SCORES,
        rest="output_norm output output_res_score",
        shapes={
            **_K3_SHAPES,
            "ffn_gate_exps": ("n_expert", "n_ff_exp", "n_latent"),
            "ffn_up_exps": ("n_expert", "n_ff_exp", "n_latent"),
            "ffn_down_exps": ("n_expert", "n_latent", "n_ff_exp"),
        },
        sizes={"n_latent": 32},
        metadata={
            **_SITU,
            "attention.q_lora_rank": 24,
            "attn_res.block_size": 2,
            "kda.gate_lower_bound": -2.0,
            "expert_latent_length": 32,
        },
    ),
    _model(
        "kimi-k3-plain",
        "kimi-k3",
        "km",
        queries=("attn_q", "attn_q"),
        own=("ssm_f_b ssm_g", ""),
        shapes=_K3_SHAPES,
        metadata={**_SITU, "attn_res.block_size": 0},
    ),
)
