"""Tiny random models for embeddings and for ranking: rows for each architecture and each way of pooling.

A text of 100 tokens fills the context of most and exceeds every window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.random_layers import LAYER_NORM, LLAMA, POST_NORMS
from helpers.random_models import RandomModel

BERT_ATTENTION = "attn_q attn_q.bias attn_k attn_k.bias attn_v attn_v.bias attn_output attn_output.bias"
BERT_NORMS = "attn_output_norm attn_output_norm.bias layer_output_norm layer_output_norm.bias"
BERT = f"{BERT_ATTENTION} {BERT_NORMS} ffn_up ffn_up.bias ffn_down ffn_down.bias"
NO_BIASES = f"attn_qkv attn_output {BERT_NORMS} ffn_gate ffn_up ffn_down"
EMBEDDED = "token_types token_embd_norm token_embd_norm.bias"
NORMED_HEADS = f"{LLAMA} attn_q_norm attn_k_norm"
HEAD = "cls cls.bias cls.output cls.output.bias"
FUSED_FF = ("n_ff_2", "n_embd")
YES_OR_NO = ["yes", "no"]


def encoder(name: str, arch: str, layer: str, rest: str, pooling: int, **more: Any) -> RandomModel:
    """A row of the table: a model that reads both ways."""
    metadata = {"attention.causal": False, "pooling_type": pooling, **more.pop("metadata", {})}
    values = {"n_head_kv": more.get("n_head", 4), "n_ctx_train": 100, "epsilon": LAYER_NORM, **more}
    return RandomModel(
        name,
        arch,
        layer,
        rest,
        metadata=metadata,
        other_metadata={"tokenizer.ggml.token_type_count": 2},
        **values,
    )


EMBEDDING_MODELS: tuple[RandomModel, ...] = (
    RandomModel("llama-first", "llama", LLAMA, metadata={"pooling_type": 2}),
    RandomModel("qwen2-mean", "qwen2", LLAMA, "output_norm", metadata={"pooling_type": 1}),
    RandomModel(
        "qwen3-last", "qwen3", NORMED_HEADS, "output_norm", head_dim=32, metadata={"pooling_type": 3}
    ),
    RandomModel(
        "qwen3vl-last",
        "qwen3vl",
        NORMED_HEADS,
        "output_norm",
        head_dim=32,
        metadata={"pooling_type": 3, "rope.dimension_sections": np.array([6, 5, 5, 0], np.int32)},
    ),
    encoder("bert", "bert", BERT, f"position_embd {EMBEDDED}", 2),
    encoder("bert-none", "bert", BERT, f"position_embd {EMBEDDED}", 0),
    encoder(
        "bert-mean",
        "bert",
        f"attn_qkv attn_qkv.bias attn_output {BERT_NORMS} ffn_up ffn_down",
        "position_embd token_embd_norm token_embd_norm.bias",
        1,
        n_layer=3,
        n_embd=72,
        n_head=3,
        head_dim=24,
        n_ff=40,
    ),
    encoder("nomic-bert", "nomic-bert", NO_BIASES, EMBEDDED, 1, metadata={"rope.freq_base": 1000.0}),
    encoder(
        "nomic-bert-moe",
        "nomic-bert-moe",
        f"{BERT} ffn_gate_inp ffn_up_exps ffn_down_exps",
        EMBEDDED,
        1,
        n_layer=4,
        metadata={"moe_every_n_layers": 2, "expert_count": 4, "expert_used_count": 2},
        only_in={
            **dict.fromkeys(("ffn_gate_inp", "ffn_up_exps", "ffn_down_exps"), (1, 3)),
            **dict.fromkeys(("ffn_up", "ffn_up.bias", "ffn_down", "ffn_down.bias"), (0, 2)),
        },
    ),
    encoder(
        "jina-bert-v2",
        "jina-bert-v2",
        f"{BERT_ATTENTION} {BERT_NORMS} ffn_up ffn_down ffn_down.bias",
        EMBEDDED,
        1,
        n_embd=96,
        n_head=6,
        shapes={"ffn_up": FUSED_FF},
    ),
    encoder(
        "jina-bert-v2-norms",
        "jina-bert-v2",
        f"{BERT} attn_q_norm attn_q_norm.bias attn_k_norm attn_k_norm.bias attn_norm_2 attn_norm_2.bias"
        " ffn_gate",
        EMBEDDED,
        2,
        shapes={"attn_q_norm": ("n_embd",), "attn_k_norm": ("n_embd",)},
    ),
    encoder("jina-bert-v3", "jina-bert-v3", BERT, EMBEDDED, 1, metadata={"rope.freq_base": 20000.0}),
    encoder(
        "modern-bert",
        "modern-bert",
        "attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down",
        "token_embd_norm output_norm",
        2,
        n_layer=4,
        shapes={"ffn_up": FUSED_FF},
        only_in={"attn_norm": (1, 2, 3)},
        metadata={
            "attention.sliding_window": 12,
            "attention.sliding_window_pattern": 3,
            "rope.freq_base": 160000.0,
            "rope.freq_base_swa": 5000.0,
        },
    ),
    encoder(
        "gemma-embedding",
        "gemma-embedding",
        f"{POST_NORMS} attn_q_norm attn_k_norm",
        "output_norm dense_2 dense_3",
        1,
        n_layer=3,
        n_head_kv=1,
        head_dim=32,
        epsilon="attention.layer_norm_rms_epsilon",
        metadata={
            "attention.sliding_window": 13,
            "attention.sliding_window_pattern": np.array([True, False, True]),
            "rope.freq_base": 1e6,
            "dense_2_feat_in": 64,
            "dense_2_feat_out": 128,
            "dense_3_feat_in": 128,
            "dense_3_feat_out": 64,
        },
    ),
    encoder(
        "eurobert",
        "eurobert",
        LLAMA,
        "output_norm",
        1,
        n_head_kv=2,
        epsilon="attention.layer_norm_rms_epsilon",
        metadata={"rope.freq_base": 250000.0},
    ),
    encoder(
        "neo-bert",
        "neo-bert",
        "attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down",
        "enc.output_norm",
        2,
        epsilon="attention.layer_norm_rms_epsilon",
        shapes={"ffn_up": FUSED_FF},
    ),
    encoder(
        "llama-embed",
        "llama-embed",
        LLAMA,
        "output_norm rope_freqs",
        1,
        n_head_kv=2,
        epsilon="attention.layer_norm_rms_epsilon",
    ),
)

RANK_MODELS: tuple[RandomModel, ...] = (
    encoder("bert-rank", "bert", BERT, f"position_embd {EMBEDDED} {HEAD}", 4),
    encoder(
        "bert-rank-mean",
        "bert",
        BERT,
        f"position_embd {EMBEDDED} cls.output cls.output.bias",
        4,
        metadata={"classifier.output_labels": ["a", "b", "c"], "classifier.pooling_type": 1},
    ),
    encoder(
        "jina-bert-v2-rank",
        "jina-bert-v2",
        BERT,
        f"{EMBEDDED} cls cls.bias",
        4,
        shapes={"cls": ("one", "n_embd")},
    ),
    encoder(
        "modern-bert-rank",
        "modern-bert",
        "attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down",
        "token_embd_norm output_norm cls cls.norm cls.output cls.output.bias",
        4,
        n_layer=3,
        shapes={"ffn_up": FUSED_FF},
        metadata={"attention.sliding_window": 8, "hidden_activation": "silu"},
    ),
    encoder(
        "neo-bert-rank",
        "neo-bert",
        "attn_norm attn_qkv attn_output ffn_norm ffn_up ffn_down",
        f"enc.output_norm {HEAD}",
        4,
        epsilon="attention.layer_norm_rms_epsilon",
        shapes={"ffn_up": FUSED_FF},
    ),
    RandomModel(
        "qwen3-rank",
        "qwen3",
        NORMED_HEADS,
        "output_norm cls.output",
        head_dim=32,
        metadata={"pooling_type": 4, "classifier.output_labels": YES_OR_NO},
    ),
)
