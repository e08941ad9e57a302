"""Tiny random decoders that know positions by ALiBi alone, or by embeddings and nothing else."""

from __future__ import annotations

from helpers.random_layers import BIASED_HEAD, GPT2, LAYER_NORM, LLAMA
from helpers.random_models import RandomModel

JAIS = f"{GPT2} ffn_gate ffn_gate.bias"
MPT = "attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down"
EMBEDDED = "token_embd_norm token_embd_norm.bias"

ALIBI_MODELS: tuple[RandomModel, ...] = (
    RandomModel(
        "bloom",
        "bloom",
        GPT2,
        f"{BIASED_HEAD} {EMBEDDED}",
        n_embd=96,
        n_head=6,
        n_head_kv=6,
        epsilon=LAYER_NORM,
    ),
    RandomModel(
        "mpt", "mpt", MPT, "output_norm", metadata={"attention.max_alibi_bias": 8.0}, epsilon=LAYER_NORM
    ),
    RandomModel(
        "mpt-clamped",
        "mpt",
        GPT2,
        "output_norm output_norm.bias",
        n_head_kv=4,
        epsilon=LAYER_NORM,
        metadata={"attention.max_alibi_bias": 6.0, "attention.clamp_kqv": 2.0},
    ),
    RandomModel(
        "mpt-positions", "mpt", MPT, "output_norm position_embd", n_ctx_train=256, epsilon=LAYER_NORM
    ),
    RandomModel(
        "jais",
        "jais",
        JAIS,
        BIASED_HEAD,
        n_head_kv=4,
        epsilon=LAYER_NORM,
        metadata={"attention.max_alibi_bias": 8.0},
        gains={"attn_qkv": 3.0},
    ),
    RandomModel("refact", "refact", LLAMA, n_head_kv=1),
    RandomModel("baichuan-13b", "baichuan", LLAMA, n_layer=40, n_embd=48, n_head=3, n_head_kv=3, n_ff=32),
)
