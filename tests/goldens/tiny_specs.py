"""The tiny random models: one row each. Data only; make_tiny_models.py turns a row into a GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Metadata = Mapping[str, "int | float | str"]


@dataclass(frozen=True)
class TinyModel:
    """One tiny model.

    Attributes:
        name: file name without `.gguf`; also the seed of the random weights.
        arch: `general.architecture`.
        head_dim: size of one attention head (n_embd / n_head except where a model says otherwise).
        n_rot: rotated dimensions of a head; 0: all.
        tied: no `output.weight`, the embedding serves.
        metadata: further `{arch}.*` keys.
        rope_tensors: names of the rotary factor tensors the file carries.
        types: tensor name without `blk.N.` and `.weight` -> GGML types, taken in turn by layer (absent: F32).
    """

    name: str
    arch: str
    n_layer: int = 2
    n_embd: int = 64
    n_head: int = 4
    n_head_kv: int = 2
    head_dim: int = 16
    n_ff: int = 96
    n_rot: int = 0
    n_ctx_train: int = 64
    rope_freq_base: float = 10000.0
    tied: bool = False
    metadata: Metadata = field(default_factory=dict)
    rope_tensors: tuple[str, ...] = ()
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


LINEAR: Metadata = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
YARN: Metadata = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 32,
}
LONGROPE: Metadata = {"rope.scaling.original_context_length": 256, "rope.scaling.attn_factor": 1.1180340}

LLAMA_MIX = {
    "token_embd": ("Q6_K",),
    "attn_q": ("Q4_K", "Q4_0"),
    "attn_k": ("Q5_K", "Q4_1"),
    "attn_v": ("Q6_K", "Q5_0"),
    "attn_output": ("Q5_1", "Q4_K"),
    "ffn_gate": ("Q4_1", "Q5_K"),
    "ffn_up": ("Q5_0", "Q6_K"),
    "ffn_down": ("Q8_0", "Q5_1"),
    "output": ("Q8_0",),
}
PHI3_Q4_K_M = {
    "token_embd": ("Q4_K",),
    "attn_qkv": ("Q5_K",),
    "attn_output": ("Q4_K",),
    "ffn_up": ("Q4_K",),
    "ffn_down": ("Q6_K", "Q4_K"),
    "output": ("Q6_K",),
}
GEMMA3_Q4_K_M = {
    "token_embd": ("Q8_0",),
    "attn_q": ("Q5_0",),
    "attn_k": ("Q5_0",),
    "attn_v": ("Q8_0", "Q5_0"),
    "attn_output": ("Q5_0",),
    "ffn_gate": ("Q5_0",),
    "ffn_up": ("Q5_0",),
    "ffn_down": ("Q6_K", "Q4_K"),
}
QWEN2_Q5 = {
    "token_embd": ("Q5_1",),
    "attn_q": ("Q5_1",),
    "attn_k": ("Q5_0",),
    "attn_v": ("Q8_0",),
    "attn_output": ("Q5_1",),
    "ffn_gate": ("Q5_0",),
    "ffn_up": ("Q5_1",),
    "ffn_down": ("Q5_K",),
}
QWEN3_HALF = {
    "token_embd": ("BF16",),
    "attn_q": ("F16", "BF16"),
    "attn_k": ("BF16", "F16"),
    "attn_v": ("F16",),
    "attn_output": ("BF16",),
    "ffn_gate": ("F16", "Q8_0"),
    "ffn_up": ("BF16",),
    "ffn_down": ("Q8_0", "F16"),
    "output": ("F16",),
}
PHI2_Q4 = {
    "token_embd": ("Q4_0",),
    "attn_qkv": ("Q4_0", "Q4_1"),
    "attn_output": ("Q4_1",),
    "ffn_up": ("Q4_0",),
    "ffn_down": ("Q6_K", "Q8_0"),
    "output": ("Q8_0",),
}

TINY_MODELS: tuple[TinyModel, ...] = (
    TinyModel("llama-f32", "llama"),
    TinyModel("llama-mix", "llama", n_embd=256, head_dim=64, n_ff=256, types=LLAMA_MIX),
    TinyModel(
        "llama-rope-freqs-f32",
        "llama",
        n_head=2,
        n_head_kv=1,
        head_dim=32,
        tied=True,
        rope_tensors=("rope_freqs",),
    ),
    TinyModel("llama-linear-f32", "llama", tied=True, metadata=LINEAR),
    TinyModel("llama-yarn-f32", "llama", n_head=2, n_head_kv=1, head_dim=32, tied=True, metadata=YARN),
    TinyModel("phi3-f32", "phi3", n_head_kv=4),
    TinyModel("phi3-swa-f32", "phi3", metadata={"attention.sliding_window": 16}),
    TinyModel(
        "phi3-longrope-f32",
        "phi3",
        n_rot=12,
        n_ctx_train=1024,
        tied=True,
        metadata=LONGROPE,
        rope_tensors=("rope_factors_long", "rope_factors_short"),
    ),
    TinyModel(
        "phi3-q4_k_m",
        "phi3",
        n_embd=256,
        n_head_kv=4,
        head_dim=64,
        n_ff=256,
        metadata={"attention.sliding_window": 63},
        types=PHI3_Q4_K_M,
    ),
    TinyModel(
        "gemma3-f32",
        "gemma3",
        n_layer=7,
        n_head_kv=1,
        rope_freq_base=1e6,
        tied=True,
        metadata={"attention.sliding_window": 16},
    ),
    TinyModel(
        "gemma3-linear-f32",
        "gemma3",
        n_layer=4,
        rope_freq_base=1e6,
        tied=True,
        metadata={
            "attention.sliding_window": 16,
            "attention.sliding_window_pattern": 3,
            "rope.freq_base_swa": 5000.0,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": 8.0,
        },
    ),
    TinyModel(
        "gemma3-q4_k_m",
        "gemma3",
        n_layer=7,
        n_head_kv=1,
        head_dim=32,
        n_ff=256,
        rope_freq_base=1e6,
        tied=True,
        metadata={"attention.sliding_window": 16},
        types=GEMMA3_Q4_K_M,
    ),
    TinyModel("qwen2-f32", "qwen2", rope_freq_base=1e6),
    TinyModel("qwen2-q5", "qwen2", n_ff=256, rope_freq_base=1e6, tied=True, types=QWEN2_Q5),
    TinyModel("qwen3-f32", "qwen3", head_dim=32, rope_freq_base=1e6, tied=True),
    TinyModel("qwen3-half", "qwen3", head_dim=32, rope_freq_base=1e6, types=QWEN3_HALF),
    TinyModel("phi2-f32", "phi2", n_head_kv=4, n_rot=8),
    TinyModel("phi2-q4", "phi2", n_head_kv=4, n_rot=8, n_ff=256, types=PHI2_Q4),
)
