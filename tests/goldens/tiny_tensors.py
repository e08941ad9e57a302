"""Names, shapes and random float32 values of the tensors of a tiny model."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from tiny_specs import TinyModel
from tiny_vocab import N_VOCAB

F32Array = NDArray[np.float32]

# Tensors of one layer besides the matrices: name -> which dimension of the model it spans.
LAYER_VECTORS: dict[str, dict[str, str]] = {
    "llama": {"attn_norm.weight": "n_embd", "ffn_norm.weight": "n_embd"},
    "phi3": {"attn_norm.weight": "n_embd", "ffn_norm.weight": "n_embd"},
    "gemma3": {
        "attn_norm.weight": "n_embd",
        "attn_q_norm.weight": "head_dim",
        "attn_k_norm.weight": "head_dim",
        "post_attention_norm.weight": "n_embd",
        "ffn_norm.weight": "n_embd",
        "post_ffw_norm.weight": "n_embd",
    },
    "qwen2": {
        "attn_norm.weight": "n_embd",
        "attn_q.bias": "n_q",
        "attn_k.bias": "n_kv",
        "attn_v.bias": "n_kv",
        "ffn_norm.weight": "n_embd",
    },
    "qwen3": {
        "attn_norm.weight": "n_embd",
        "attn_q_norm.weight": "head_dim",
        "attn_k_norm.weight": "head_dim",
        "ffn_norm.weight": "n_embd",
    },
    "phi2": {
        "attn_norm.weight": "n_embd",
        "attn_norm.bias": "n_embd",
        "attn_qkv.bias": "n_qkv",
        "attn_output.bias": "n_embd",
        "ffn_up.bias": "n_ff",
        "ffn_down.bias": "n_embd",
    },
}

FUSED_QKV = ("phi3", "phi2")


def _dimensions(model: TinyModel) -> dict[str, int]:
    n_q, n_kv = model.n_head * model.head_dim, model.n_head_kv * model.head_dim
    return {
        "n_embd": model.n_embd,
        "head_dim": model.head_dim,
        "n_ff": model.n_ff,
        "n_q": n_q,
        "n_kv": n_kv,
        "n_qkv": n_q + 2 * n_kv,
    }


def _layer_matrices(model: TinyModel) -> dict[str, tuple[int, int]]:
    """Matrix name -> (rows, columns), a row being one output."""
    d = _dimensions(model)
    n_embd, n_ff = model.n_embd, model.n_ff
    matrices = (
        {"attn_qkv": (d["n_qkv"], n_embd)}
        if model.arch in FUSED_QKV
        else {"attn_q": (d["n_q"], n_embd), "attn_k": (d["n_kv"], n_embd), "attn_v": (d["n_kv"], n_embd)}
    )
    matrices["attn_output"] = (n_embd, d["n_q"])
    if model.arch not in FUSED_QKV:
        matrices["ffn_gate"] = (n_ff, n_embd)
    matrices["ffn_up"] = (2 * n_ff if model.arch == "phi3" else n_ff, n_embd)
    matrices["ffn_down"] = (n_embd, n_ff)
    return matrices


def _matrix(rng: np.random.Generator, name: str, rows: int, columns: int, n_query_rows: int) -> F32Array:
    """Gaussian weights scaled so that attention is peaked and the logits spread over several units."""
    gain = {"attn_q": 1.5, "attn_k": 1.5, "output": 3.0}.get(name, 1.0)
    weights = rng.standard_normal((rows, columns), np.float32) * np.float32(gain / np.sqrt(columns))
    if name == "attn_qkv":
        weights[:n_query_rows] *= 2.0
    return weights


def _vector(rng: np.random.Generator, name: str, size: int) -> F32Array:
    noise = rng.standard_normal(size, np.float32) * np.float32(0.2)
    if name.endswith(".bias"):
        return noise
    center = 1.4 if name.startswith(("attn_q_norm", "attn_k_norm")) else 1.0
    return noise + np.float32(center)


def _llama3_factors(model: TinyModel) -> F32Array:
    """Llama 3's frequency factors (factor 8, low 1, high 4) for an original context of 32."""
    frequencies = model.rope_freq_base ** (-np.arange(0, model.head_dim, 2) / model.head_dim)
    turns = 32 * frequencies / (2 * np.pi)
    smooth = np.clip((turns - 1) / (4 - 1), 0, 1)
    return (1 / ((1 - smooth) / 8 + smooth)).astype(np.float32)


def _rope_tensor(model: TinyModel, name: str) -> F32Array:
    n = (model.n_rot or model.head_dim) // 2
    if name == "rope_freqs":
        return _llama3_factors(model)
    steps = np.linspace(0, 1, n)
    return (1 + 0.15 * steps if name == "rope_factors_short" else 1 + 7 * steps**2).astype(np.float32)


def tensors_of(model: TinyModel) -> dict[str, F32Array]:
    """Every tensor of the model by its GGUF name, float32, deterministic in the model's name."""
    rng = np.random.default_rng(zlib.crc32(model.name.encode()))
    d = _dimensions(model)
    embedding_gain = 1.0 if model.arch != "gemma3" else 1 / np.sqrt(model.n_embd)
    if model.tied:
        embedding_gain = 3 / np.sqrt(model.n_embd)
    tensors = {
        "token_embd.weight": rng.standard_normal((N_VOCAB, model.n_embd), np.float32)
        * np.float32(embedding_gain)
    }
    for layer in range(model.n_layer):
        for name, (rows, columns) in _layer_matrices(model).items():
            tensors[f"blk.{layer}.{name}.weight"] = _matrix(rng, name, rows, columns, d["n_q"])
        for name, dimension in LAYER_VECTORS[model.arch].items():
            tensors[f"blk.{layer}.{name}"] = _vector(rng, name, d[dimension])
    tensors["output_norm.weight"] = _vector(rng, "output_norm.weight", model.n_embd)
    if not model.tied:
        tensors["output.weight"] = _matrix(rng, "output", N_VOCAB, model.n_embd, 0)
    if model.arch == "phi2":
        tensors["output_norm.bias"] = _vector(rng, "output_norm.bias", model.n_embd)
        tensors["output.bias"] = _vector(rng, "output.bias", N_VOCAB)
    for name in model.rope_tensors:
        tensors[f"{name}.weight"] = _rope_tensor(model, name)
    return tensors
