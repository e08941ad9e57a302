"""Tiny random models of RWKV's architectures. llama.cpp's kernels need heads of 64 columns."""

from __future__ import annotations

from typing import Any

from helpers.random_layers import LAYER_NORM
from helpers.random_models import RandomModel

_SIZES: dict[str, Any] = {"n_embd": 128, "head_dim": 32, "n_ff": 160}
_NO_ATTENTION = {"attention.head_count": 0, "attention.head_count_kv": 0, "wkv.head_size": 64}
_NORMS = "attn_norm attn_norm.bias attn_norm_2 attn_norm_2.bias"
_NORMED_ENDS = "token_embd_norm token_embd_norm.bias output_norm output_norm.bias output"
_NETWORK = "ffn_norm ffn_gate ffn_up ffn_down"
_SQUARE = ("n_embd", "n_embd")


def _names(*parts: str) -> str:
    return " ".join(f"time_mix_{part}" for part in " ".join(parts).split())


_MATRICES = ("key", "value", "receptance", "output")
_MIX_7 = _names("lerp_fused w0 w1 w2 a0 a1 a2 v0 v1 v2 k_k k_a r_k", *_MATRICES)
_GATE_7, _GROUP_NORM = _names("g1 g2"), _names("ln ln.bias")
_MIX_6 = _names("lerp_x w1 w2 decay decay_w1 decay_w2 gate", *_MATRICES)
_CHANNEL_7 = "channel_mix_lerp_k channel_mix_key channel_mix_value"
_CHANNEL_6 = f"{_CHANNEL_7} channel_mix_lerp_r channel_mix_receptance"

_VECTORS = ("lerp_x", "decay", "w0", "a0", "v0", "k_k", "k_a", "r_k", "ln", *(f"lerp_{x}" for x in "wkvrg"))
_SHAPES: dict[str, tuple[str, ...]] = {
    **{f"time_mix_{name}": ("n_embd",) for name in _VECTORS},
    **{f"time_mix_{name}": _SQUARE for name in (*_MATRICES, "gate")},
    "channel_mix_lerp_k": ("n_embd",),
    "channel_mix_lerp_r": ("n_embd",),
    "channel_mix_key": ("n_ff", "n_embd"),
    "channel_mix_value": ("n_embd", "n_ff"),
    "channel_mix_receptance": _SQUARE,
    "time_mix_first": ("n_wkv", "head_size"),
    "time_mix_lerp_fused": ("n_lerp", "one", "one", "n_embd"),
}
_RANKS_7 = {
    "attention.decay_lora_rank": 32,
    "attention.iclr_lora_rank": 24,
    "attention.value_residual_mix_lora_rank": 16,
}
_SHAPES_7 = {
    **_SHAPES,
    **{f"time_mix_{part}1": (f"n_{part}", "n_embd") for part in "wavg"},
    **{f"time_mix_{part}2": ("n_embd", f"n_{part}") for part in "wavg"},
    "0.time_mix_v1": ("n_a", "n_embd"),
    "0.time_mix_v2": ("n_embd", "n_a"),
}
_SIZES_7 = {"n_w": 32, "n_a": 24, "n_v": 16, "n_g": 48, "n_lerp": 6}
_KEYS_6 = {"time_mix_extra_dim": 32, "time_decay_extra_dim": 48}
_SHAPES_6 = {
    **_SHAPES,
    "time_mix_w1": ("n_mix_5", "n_embd"),
    "time_mix_w2": ("n_lerp", "n_embd", "n_mix"),
    "time_mix_decay_w1": ("n_decay", "n_embd"),
    "time_mix_decay_w2": ("n_embd", "n_decay"),
}
_SIZES_6 = {"n_mix": 32, "n_mix_5": 160, "n_decay": 48, "n_lerp": 5, "n_wkv": 2, "head_size": 64}
# Mixtures of a token and the one before it, and what is read, count for something.
_GAINS = {"time_mix_lerp_fused": 5.0, "time_mix_first": 4.0, "time_mix_output": 2.5}
_GAINS |= {"channel_mix_value": 2.5, "time_mix_w2": 2.0}


def _rwkv7(
    name: str, arch: str, layer: str, keys: dict[str, Any], sizes: dict[str, int], **rest: Any
) -> RandomModel:
    metadata = {**_NO_ATTENTION, **_RANKS_7, **keys}
    sizes = {**_SIZES_7, **sizes}
    return RandomModel(
        name, arch, layer, metadata=metadata, shapes=_SHAPES_7, sizes=sizes, gains=_GAINS, **_SIZES, **rest
    )


def _rwkv6(name: str, arch: str, layer: str, keys: dict[str, Any], **rest: Any) -> RandomModel:
    metadata = {**_NO_ATTENTION, **_KEYS_6, **keys}
    shapes = {**_SHAPES_6, **rest.pop("shapes", {})}
    return RandomModel(
        name, arch, layer, metadata=metadata, shapes=shapes, sizes=_SIZES_6, gains=_GAINS, **_SIZES, **rest
    )


_GATED = {"attention.gate_lora_rank": 48}
_SHARED_KEYS = {"time_mix_key": ("head_size", "n_embd"), "time_mix_value": ("head_size", "n_embd")}

RWKV_MODELS: tuple[RandomModel, ...] = (
    _rwkv7(
        "rwkv7",
        "rwkv7",
        f"{_NORMS} {_MIX_7} {_GATE_7} {_GROUP_NORM} {_CHANNEL_7}",
        {**_GATED, "token_shift_count": 2},
        {},
        rest=_NORMED_ENDS,
        n_layer=3,
        epsilon=LAYER_NORM,
    ),
    _rwkv7(
        "arwkv7",
        "arwkv7",
        f"attn_norm {_MIX_7} {_GATE_7} {_NETWORK}",
        {**_GATED, "token_shift_count": 1},
        {},
    ),
    _rwkv7(
        "arwkv7-ungated",
        "arwkv7",
        f"attn_norm {_MIX_7} {_GROUP_NORM} {_NETWORK}",
        {"token_shift_count": 1, "attention.gate_lora_rank": 0},
        {"n_lerp": 5},
    ),
    _rwkv6(
        "rwkv6",
        "rwkv6",
        f"{_NORMS} {_MIX_6} {_names('lerp_fused first')} {_GROUP_NORM} {_CHANNEL_6}",
        {"rescale_every_n_layers": 2},
        rest=_NORMED_ENDS,
        n_layer=3,
        epsilon=LAYER_NORM,
    ),
    _rwkv6(
        "rwkv6-unfused",
        "rwkv6",
        f"{_NORMS} {_MIX_6} {_names('lerp_w lerp_k lerp_v lerp_r lerp_g first')} {_GROUP_NORM} {_CHANNEL_6}",
        {"token_shift_count": 2},
        rest=_NORMED_ENDS,
        epsilon=LAYER_NORM,
    ),
    _rwkv6(
        "rwkv6qwen2",
        "rwkv6qwen2",
        f"attn_norm {_MIX_6} {_names('lerp_fused key.bias value.bias receptance.bias')} {_NETWORK}",
        {"token_shift_count": 1, "attention.head_count_kv": 1},
        shapes=_SHARED_KEYS,
    ),
    _rwkv6(
        "rwkv6qwen2-unshared",
        "rwkv6qwen2",
        f"attn_norm {_MIX_6} {_names('lerp_fused')} {_NETWORK}",
        {"token_shift_count": 1},
    ),
)
