"""Tiny models with random weights, written where they are needed: the same bytes from the same table row.

Weights are drawn from NumPy's legacy generator, whose stream is frozen, as integers, and scaled by float32
operations that IEEE 754 defines, so that a file is the same on every machine; its SHA-256 is in its golden.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from goldens.tiny_vocab import N_VOCAB, bpe_vocabulary
from numpy.typing import NDArray

from rushlight.gguf import GGMLType
from rushlight.gguf.writer import write_gguf
from rushlight.quants import quantize

Float32Array = NDArray[np.float32]

GOLDENS = Path(__file__).parents[1] / "goldens" / "random"


@dataclass(frozen=True)
class RandomModel:
    """One tiny model.

    Attributes:
        name: unique; also the seed of the weights.
        arch: ``general.architecture``.
        layer: names of a layer's tensors, by spaces; ``.weight`` unless they say ``.bias``.
        rest: names of the other tensors besides ``token_embd``.
        metadata: ``{arch}.*`` keys besides the sizes and the norms' epsilon.
        other_metadata: keys that do not begin with the architecture's name.
        epsilon: key of the norms' epsilon.
        eps: the epsilon itself, large enough that it matters whether a norm takes it.
        shapes: of tensors whose shape is not the usual one, in sizes; "2.attn_q" is that of layer 2 alone.
        only_in: layers that alone have a tensor.
        gains: of tensors whose gain is not the usual one.
        sizes: what further names in a shape stand for.
        alone: further tensors whose names have no ``.weight``.
        oracle: what its golden is from: "llama.cpp" or "transformers".
    """

    name: str
    arch: str
    layer: str
    rest: str = "output_norm output"
    n_layer: int = 2
    n_embd: int = 64
    n_head: int = 4
    n_head_kv: int = 2
    head_dim: int = 16
    n_ff: int = 96
    n_ctx_train: int = 64
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epsilon: str = "attention.layer_norm_rms_epsilon"
    eps: float = 0.01
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only_in: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    other_metadata: Mapping[str, Any] = field(default_factory=dict)
    alone: tuple[str, ...] = ()
    oracle: str = "llama.cpp"


# The usual shapes, a row being one output; a bias has as many numbers as its matrix has rows.
SHAPES: dict[str, tuple[str, ...]] = {
    "token_embd": ("n_vocab", "n_embd"),
    "output_norm": ("n_embd",),
    "output": ("n_vocab", "n_embd"),
    "rope_freqs": ("n_pairs",),
    "rope_factors_long": ("n_pairs",),
    "rope_factors_short": ("n_pairs",),
    "attn_norm": ("n_embd",),
    "attn_norm_2": ("n_embd",),
    "attn_q": ("n_q", "n_embd"),
    "attn_k": ("n_kv", "n_embd"),
    "attn_v": ("n_kv", "n_embd"),
    "attn_qkv": ("n_qkv", "n_embd"),
    "attn_q_norm": ("head_dim",),
    "attn_k_norm": ("head_dim",),
    "attn_output": ("n_embd", "n_q"),
    "post_attention_norm": ("n_embd",),
    "ffn_norm": ("n_embd",),
    "ffn_gate": ("n_ff", "n_embd"),
    "ffn_up": ("n_ff", "n_embd"),
    "ffn_down": ("n_embd", "n_ff"),
    "post_ffw_norm": ("n_embd",),
    "attn_sinks": ("n_head",),
    "ffn_gate_inp": ("n_expert", "n_embd"),
    "exp_probs_b": ("n_expert",),
    "ffn_gate_exps": ("n_expert", "n_ff_exp", "n_embd"),
    "ffn_up_exps": ("n_expert", "n_ff_exp", "n_embd"),
    "ffn_gate_up_exps": ("n_expert", "n_ff_exp_2", "n_embd"),
    "ffn_down_exps": ("n_expert", "n_embd", "n_ff_exp"),
    "ffn_gate_inp_shexp": ("n_embd",),
    "ffn_gate_shexp": ("n_ff_shexp", "n_embd"),
    "ffn_up_shexp": ("n_ff_shexp", "n_embd"),
    "ffn_down_shexp": ("n_embd", "n_ff_shexp"),
    "ffn_latent_down": ("n_latent", "n_embd"),
    "ffn_latent_up": ("n_embd", "n_latent"),
    "altup_proj": ("n_added", "n_embd", "n_embd"),
    "altup_unembd_proj": ("n_added", "n_embd", "n_embd"),
    "altup_router": ("n_streams", "n_embd"),
    "altup_router_norm": ("n_embd",),
    "altup_predict_coef": ("n_coefficients", "n_streams"),
    "altup_correct_coef": ("n_streams", "n_streams"),
    "altup_correct_scale": ("n_embd",),
    "laurel_l": ("n_laurel", "n_embd"),
    "laurel_r": ("n_embd", "n_laurel"),
    "laurel_post_norm": ("n_embd",),
    "position_embd": ("n_positions", "n_embd"),
    "per_layer_token_embd": ("n_vocab", "n_own_all"),
    "per_layer_model_proj": ("n_own_all", "n_embd"),
    "per_layer_proj_norm": ("n_own",),
    "inp_gate": ("n_own", "n_embd"),
    "proj": ("n_embd", "n_own"),
    "post_norm": ("n_embd",),
    "layer_output_scale": ("one",),
    "pre_ffw_norm_2": ("n_embd",),
    "post_ffw_norm_1": ("n_embd",),
    "post_ffw_norm_2": ("n_embd",),
    "ffn_gate_inp.scale": ("n_embd",),
    "ffn_down_exps.scale": ("n_expert",),
    "token_embd_norm": ("n_embd",),
    "token_types": ("n_types", "n_embd"),
    "attn_output_norm": ("n_embd",),
    "layer_output_norm": ("n_embd",),
    "enc.output_norm": ("n_embd",),
    "cls": ("n_embd", "n_embd"),
    "cls.norm": ("n_embd",),
    "cls.output": ("n_cls", "n_embd"),
    "dense_2": ("n_dense", "n_embd"),
    "dense_3": ("n_embd", "n_dense"),
    "attn_gate": ("n_value", "n_embd"),
    "ffn_norm_exps": ("n_embd",),
    "attn_sub_norm": ("n_q",),
    "ffn_sub_norm": ("n_ff",),
    "ssm_dt_norm": ("n_head_v",),
    "ssm_conv1d_q": ("n_inner", "one", "n_taps"),
    "ssm_conv1d_k": ("n_inner", "one", "n_taps"),
    "ssm_conv1d_v": ("n_inner", "one", "n_taps"),
    "ssm_f_a": ("n_kda", "n_embd"),
    "ssm_f_b": ("n_inner", "n_kda"),
    "ssm_g_a": ("n_kda", "n_embd"),
    "ssm_g_b": ("n_inner", "n_kda"),
    "ssm_b_norm": ("n_state",),
    "ssm_c_norm": ("n_state",),
    "ssm_conv1d": ("n_conv", "n_taps"),
    "ssm_alpha": ("n_head_v", "n_embd"),
    "ssm_ba": ("n_head_v_2", "n_embd"),
    "ssm_beta": ("n_head_v", "n_embd"),
    "ssm_dt": ("n_head_v",),
    "ssm_a": ("n_head_v",),
    "ssm_norm": ("n_state",),
    "ssm_out": ("n_embd", "n_value"),
    "ssm_in": ("n_ssm_in", "n_embd"),
    "ssm_d": ("n_head_v", "one"),
    "shortconv.in_proj": ("n_embd_3", "n_embd"),
    "shortconv.conv": ("n_embd", "n_taps"),
    "shortconv.out_proj": ("n_embd", "n_embd"),
}
# Attention is peaked and logits spread over several units, so that nothing is lost in the rounding.
GAINS = {"attn_q": 2.0, "attn_k": 2.0, "attn_qkv": 1.7, "attn_output": 2.5, "ffn_down": 2.5, "output": 3.0}
# Routers choose clearly, so that no rounding chooses another expert.
GAINS |= {"ffn_gate_inp": 3.0, "ffn_down_exps": 4.0, "ffn_down_shexp": 2.5}
TIED_GAIN = 1.0
NAMES_ALONE = {"ssm_a", "ssm_d", "ffn_gate_inp.scale", "ffn_down_exps.scale"}
"""Tensors whose names have no ``.weight``."""


def sizes_of(model: RandomModel) -> dict[str, int]:
    """What the names in a shape stand for."""
    n_q, n_kv = model.n_head * model.head_dim, model.n_head_kv * model.head_dim
    sizes = {
        "n_q": n_q,
        "n_kv": n_kv,
        "n_qkv": n_q + 2 * n_kv,
        "n_vocab": N_VOCAB,
        "n_ff_2": 2 * model.n_ff,
        "n_ff_half": model.n_ff // 2,
        "n_q_2": 2 * n_q,
    }
    own = ("n_embd", "n_head", "n_head_kv", "head_dim", "n_ff")
    n_rot = model.metadata.get("rope.dimension_count", model.head_dim)
    sizes["n_expert"] = model.metadata.get("expert_count", 0)
    sizes["n_ff_exp"] = model.metadata.get("expert_feed_forward_length", model.n_ff)
    sizes["n_ff_used"] = model.n_ff // model.metadata.get("expert_used_count", 1)
    sizes["n_ff_exp_2"] = 2 * sizes["n_ff_exp"]
    n_ff_shared = sizes["n_ff_exp"] * model.metadata.get("expert_shared_count", 0) or model.n_ff
    sizes["n_ff_shexp"] = model.metadata.get("expert_shared_feed_forward_length", n_ff_shared)
    sizes |= latent_sizes_of(model) | recurrent_sizes_of(model)
    sizes["n_own"] = model.metadata.get("embedding_length_per_layer_input", 0)
    sizes["n_latent"] = model.metadata.get("moe_latent_size", 0)
    sizes["n_positions"] = model.n_ctx_train
    sizes["n_types"], sizes["n_dense"] = 2, model.metadata.get("dense_2_feat_out", 0)
    sizes["n_cls"] = len(model.metadata.get("classifier.output_labels", [""]))
    sizes["n_own_all"], sizes["one"] = model.n_layer * sizes["n_own"], 1
    return {**sizes, **model.sizes, **{name: getattr(model, name) for name in own}, "n_pairs": n_rot // 2}


def latent_sizes_of(model: RandomModel) -> dict[str, int]:
    """Those of multi-head latent attention."""
    keys = model.metadata
    n_lora_kv, n_rot = keys.get("attention.kv_lora_rank", 0), keys.get("rope.dimension_count", 0)
    lengths = (keys.get(f"attention.{part}_length", 0) for part in ("key", "value"))
    n_key, n_value = (
        keys.get(f"attention.{part}_length_mla", length)
        for part, length in zip(("key", "value"), lengths, strict=True)
    )
    return {
        "n_lora_q": keys.get("attention.q_lora_rank", 0),
        "n_lora_kv": n_lora_kv,
        "n_lora_kv_rot": n_lora_kv + n_rot,
        "n_nope": n_key - n_rot,
        "n_mla_v": n_value,
        "n_mla_q": model.n_head * n_key,
        "n_mla_kv": model.n_head * (n_key - n_rot + n_value),
        "n_mla_out": model.n_head * n_value,
    }


def recurrent_sizes_of(model: RandomModel) -> dict[str, int]:
    """Those of layers with a state."""
    keys = model.metadata
    n_state, n_value = keys.get("ssm.state_size", 0), keys.get("ssm.inner_size", 0)
    n_head, n_group = keys.get("ssm.time_step_rank", 0), keys.get("ssm.group_count", 1)
    return {
        "n_embd_3": 3 * model.n_embd,
        "n_kda": keys.get("kda.head_dim", 0),
        "n_inner": model.n_head * keys.get("kda.head_dim", 0),
        "n_taps": keys.get("shortconv.l_cache", keys.get("ssm.conv_kernel", 0)),
        "n_state": n_state,
        "n_head_v": n_head,
        "n_head_v_2": 2 * n_head,
        "n_value": n_value,
        "n_conv": 2 * n_state * n_group + n_value,
        "n_group": n_group,
        "n_value_group": n_value // max(n_group, 1),
        "n_ssm_in": 2 * n_value + 2 * n_state * n_group + n_head,
        "n_value_2": 2 * n_value,
        "n_qkv_gate": 2 * n_state * n_group + 2 * n_value,
        "n_ssm_x": n_head + 2 * n_state,
    }


def _uniform(rng: np.random.RandomState, shape: tuple[int, ...]) -> Float32Array:
    """Numbers of mean 0 and variance 1, within 1.74."""
    integers = rng.randint(-(1 << 20), 1 << 20, size=shape).astype(np.float32)
    return integers * np.float32(3**0.5 / (1 << 20))


def _values(
    rng: np.random.RandomState, name: str, kind: str, shape: tuple[int, ...], gain: float
) -> Float32Array:
    if name.startswith("rope_f"):
        return np.float32(1.0) + np.abs(_uniform(rng, shape)) * np.float32(3.0 if "long" in name else 1.0)
    noise = _uniform(rng, shape)
    if name == "ssm_a":  # times softplus, the logarithm of a decay: state lives for some tokens
        return (noise * np.float32(0.1) - np.float32(0.2)) * np.float32(gain)
    if name == "time_mix_decay":  # the logarithm of that of a decay
        return noise * np.float32(0.5) - np.float32(1.5)
    if kind == "bias":
        return noise * np.float32(0.3)
    if name.endswith(("_norm", ".scale")) or (len(shape) == 1 and not name.startswith("ffn")):
        return noise * np.float32(0.3) + np.float32(1.0)
    return noise * np.float32(gain / shape[-1] ** 0.5)


def tensors_of(model: RandomModel) -> dict[str, Float32Array]:
    """Every tensor by its GGUF name."""
    rng = np.random.RandomState(zlib.crc32(model.name.encode()))
    sizes, shapes = sizes_of(model), {**SHAPES, **model.shapes}
    tied = "output" not in model.rest.split()
    gains = {**GAINS, "token_embd": TIED_GAIN if tied else model.n_embd**0.5, **model.gains}
    tensors = {}

    def add(prefix: str, item: str) -> None:
        name = item.removesuffix(".bias")
        kind = "weight" if name == item else "bias"
        own = shapes.get(f"{prefix.removeprefix('blk.')}{name}", shapes[name])
        shape = tuple(sizes[size] for size in own)
        if kind == "bias":
            shape = shape[:-1] or shape
        full = f"{prefix}{name}" if name in {*NAMES_ALONE, *model.alone} else f"{prefix}{name}.{kind}"
        tensors[full] = _values(rng, name, kind, shape, gains.get(name, 1.0))

    add("", "token_embd")
    for i in range(model.n_layer):
        for item in model.layer.split():
            if i in model.only_in.get(item, (i,)):
                add(f"blk.{i}.", item)
    for item in model.rest.split():
        add("", item)
    return tensors


def metadata_of(model: RandomModel) -> dict[str, Any]:
    """Every key, the architecture's own among them."""
    sizes = {
        "context_length": model.n_ctx_train,
        "embedding_length": model.n_embd,
        "block_count": model.n_layer,
        "feed_forward_length": model.n_ff,
        "attention.head_count": model.n_head,
        "attention.head_count_kv": model.n_head_kv,
        model.epsilon: model.eps,
    }
    if model.head_dim * model.n_head != model.n_embd:
        sizes |= {"attention.key_length": model.head_dim, "attention.value_length": model.head_dim}
    own = {f"{model.arch}.{key}": value for key, value in {**sizes, **model.metadata}.items()}
    own |= model.other_metadata
    vocabulary = bpe_vocabulary()
    return {
        "general.architecture": model.arch,
        "general.name": f"tiny random {model.name}",
        **own,
        "tokenizer.ggml.model": vocabulary.model,
        "tokenizer.ggml.pre": vocabulary.pre,
        "tokenizer.ggml.tokens": list(vocabulary.tokens),
        "tokenizer.ggml.token_type": np.array(vocabulary.types, np.int32),
        "tokenizer.ggml.merges": list(vocabulary.merges),
        **{f"tokenizer.ggml.{name}_token_id": token for name, token in vocabulary.special.items()},
        **{f"tokenizer.ggml.{name}": flag for name, flag in vocabulary.flags.items()},
        "tokenizer.chat_template": vocabulary.chat_template,
    }


def write_model(
    path: Path,
    metadata: Mapping[str, Any],
    tensors: Mapping[str, Float32Array],
    type: GGMLType = GGMLType.F32,
) -> None:
    """Write a model, its matrices in a type, the rest in float32."""
    entries = []
    for name, values in tensors.items():
        is_matrix = values.ndim > 1 and not name.endswith(("_norm.weight", "ffn_gate_inp.weight", ".bias"))
        own = type if is_matrix and values.shape[-1] % 32 == 0 else GGMLType.F32
        raw = values.view(np.uint8) if own is GGMLType.F32 else quantize(values, own)
        entries.append((name, own, values.shape, raw))
    write_gguf(path, metadata, entries)


def write_random_model(model: RandomModel, path: Path) -> str:
    """Write a model in float32; the SHA-256 of the file."""
    write_model(path, metadata_of(model), tensors_of(model))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class RandomGolden:
    """What llama.cpp gave; tests/goldens/make_random_logits.py says what each field holds."""

    ids: list[int]
    n_prompt: int
    positions: list[int]
    logits: Float32Array
    sha256: str
    n_ctx: int
    float_rounding: float


def load_random_golden(name: str) -> RandomGolden:
    """The golden of a model."""
    with np.load(GOLDENS / f"{name}.npz") as golden:
        case = json.loads(str(golden["metadata"]))
        return RandomGolden(
            ids=golden["ids"].tolist(),
            n_prompt=int(golden["n_prompt"]),
            positions=golden["positions"].tolist(),
            logits=golden["logits"],
            sha256=case["sha256"],
            n_ctx=case["n_ctx"],
            float_rounding=case.get("float_rounding", 0.0),
        )
