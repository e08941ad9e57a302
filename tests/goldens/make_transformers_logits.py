"""Record the logits and greedy tokens that transformers gives for random models llama.cpp runs otherwise.

Run from the repository root with a Python that has torch, transformers and gguf:

    PYTHONPATH=.:tests python tests/goldens/make_transformers_logits.py [name ...]

llama.cpp has the sparse attention of minimax-m3 with flash attention alone, which rounds to halves. The files
are those of make_random_logits.py, for the rows of the tables whose `oracle` is "transformers".
`float_rounding` is the norm of the difference between logits and those of the model in float64.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from helpers.random_models import Float32Array, RandomModel, tensors_of, write_random_model
from helpers.random_tables import RANDOM_MODELS
from make_random_logits import KEPT, N_CTX, N_GREEDY, N_PROMPT, TARGET
from tiny_vocab import N_VOCAB

_OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate_inp": "mlp.router",
}
_OTHERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def phimoe(model: RandomModel, tensors: dict[str, Float32Array]) -> torch.nn.Module:
    """The model in transformers, with the longer contexts' factors in both places: it never takes those."""
    keys = model.metadata
    factors = tensors["rope_factors_long.weight"].tolist()
    mscale = keys["rope.scaling.attn_factor"]
    config = transformers.PhimoeConfig(
        vocab_size=N_VOCAB,
        hidden_size=model.n_embd,
        intermediate_size=model.n_ff,
        num_hidden_layers=model.n_layer,
        num_attention_heads=model.n_head,
        num_key_value_heads=model.n_head_kv,
        max_position_embeddings=N_CTX,
        rms_norm_eps=model.eps,
        sliding_window=keys["attention.sliding_window"],
        num_local_experts=keys["expert_count"],
        num_experts_per_tok=keys["expert_used_count"],
        attention_bias=True,
        lm_head_bias=True,
        attn_implementation="eager",
        experts_implementation="eager",
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": keys["rope.freq_base"],
            "original_max_position_embeddings": keys["rope.scaling.original_context_length"],
            "short_factor": factors,
            "long_factor": factors,
            "short_mscale": mscale,
            "long_mscale": mscale,
        },
    )
    named: dict[str, Float32Array] = {}
    for name, values in tensors.items():
        parts = name.split(".")
        if parts[0] in _OTHERS:
            named[f"{_OTHERS[parts[0]]}.{parts[1]}"] = values
        elif parts[0] == "blk" and parts[2] in _OF_LAYER:
            named[f"model.layers.{parts[1]}.{_OF_LAYER[parts[2]]}.{parts[3]}"] = values
    for i in range(model.n_layer):
        gate, up, down = (tensors[f"blk.{i}.ffn_{part}_exps.weight"] for part in ("gate", "up", "down"))
        named[f"model.layers.{i}.mlp.experts.gate_up_proj"] = np.concatenate([gate, up], axis=1)
        named[f"model.layers.{i}.mlp.experts.down_proj"] = down
    made = transformers.PhimoeForCausalLM(config).eval()
    made.load_state_dict({name: torch.from_numpy(values) for name, values in named.items()}, strict=True)
    return made


_OF_M3_LAYER = {
    **_OF_LAYER,
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate_inp": "mlp.gate",
    "ffn_down": "mlp.down_proj",
    "ffn_down_shexp": "mlp.shared_experts.down_proj",
    "indexer.q_proj": "self_attn.indexer.q_proj",
    "indexer.k_proj": "self_attn.indexer.k_proj",
    "indexer.q_norm": "self_attn.indexer.q_norm",
    "indexer.k_norm": "self_attn.indexer.k_norm",
}
_M3_JOINED = {
    "ffn_{}": "mlp.gate_up_proj.weight",
    "ffn_{}_shexp": "mlp.shared_experts.gate_up_proj.weight",
    "ffn_{}_exps": "mlp.experts.gate_up_proj",
}


def minimax_m3(model: RandomModel, tensors: dict[str, Float32Array]) -> torch.nn.Module:
    """The model in transformers, whose norms have weights less 1."""
    from transformers.models.minimax_m3_vl import MiniMaxM3VLForCausalLM, MiniMaxM3VLTextConfig

    keys, n_layer = model.metadata, model.n_layer
    n_dense, n_ff = keys["leading_dense_block_count"], keys["expert_feed_forward_length"]
    config = MiniMaxM3VLTextConfig(
        vocab_size=N_VOCAB,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=model.n_embd,
        dense_intermediate_size=model.n_ff,
        intermediate_size=n_ff,
        shared_intermediate_size=n_ff * keys["expert_shared_count"],
        num_hidden_layers=n_layer,
        num_attention_heads=model.n_head,
        num_key_value_heads=model.n_head_kv,
        head_dim=model.head_dim,
        max_position_embeddings=N_CTX,
        rms_norm_eps=model.eps,
        num_local_experts=keys["expert_count"],
        num_experts_per_tok=keys["expert_used_count"],
        routed_scaling_factor=keys["expert_weights_scale"],
        rotary_dim=keys["rope.dimension_count"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": keys["rope.freq_base"],
            "partial_rotary_factor": keys["rope.dimension_count"] / model.head_dim,
        },
        index_n_heads=keys["attention.indexer.head_count"],
        index_head_dim=keys["attention.indexer.key_length"],
        index_block_size=keys["attention.indexer.block_size"],
        index_topk_blocks=keys["attention.indexer.top_k"],
        index_local_blocks=keys["attention.indexer.local_blocks"],
        layer_types=["full_attention"] * n_dense + ["minimax_m3_sparse"] * (n_layer - n_dense),
        mlp_layer_types=["dense"] * n_dense + ["sparse"] * (n_layer - n_dense),
        attn_implementation="eager",
        experts_implementation="eager",
    )
    named: dict[str, Float32Array] = {}
    for name, values in tensors.items():
        stem, kind = name.rsplit(".", 1)
        own = values - 1 if stem.endswith("norm") else values
        if stem in _OTHERS:
            named[f"{_OTHERS[stem]}.{kind}"] = own
        elif stem.startswith("blk."):
            _, i, part = stem.split(".", 2)
            if part in _OF_M3_LAYER:
                named[f"model.layers.{i}.{_OF_M3_LAYER[part]}.{kind}"] = own
            elif part == "exp_probs_b":
                named[f"model.layers.{i}.mlp.gate.e_score_correction_bias"] = values
            elif part == "ffn_down_exps":
                named[f"model.layers.{i}.mlp.experts.down_proj"] = values
    for i in range(n_layer):
        for names, joined in _M3_JOINED.items():
            parts = [tensors.get(f"blk.{i}.{names.format(part)}.weight") for part in ("gate", "up")]
            if parts[0] is not None and parts[1] is not None:
                axis = parts[0].ndim - 2
                named[f"model.layers.{i}.{joined}"] = np.concatenate([parts[0], parts[1]], axis=axis)
    made = MiniMaxM3VLForCausalLM(config).eval()
    made.load_state_dict({name: torch.from_numpy(values) for name, values in named.items()}, strict=True)
    return made


MAKERS = {"phimoe": phimoe, "minimax-m3": minimax_m3}


def logits(made: torch.nn.Module, ids: list[int]) -> Any:
    """Logits [T, V] of all tokens at once."""
    with torch.no_grad():
        return made(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def make(model: RandomModel, folder: Path) -> None:
    """Write one golden."""
    sha256 = write_random_model(model, folder / "model.gguf")
    made = MAKERS[model.arch](model, tensors_of(model))
    ids = np.random.RandomState(1).randint(0, N_VOCAB, N_PROMPT).tolist()
    for _ in range(N_GREEDY):
        ids.append(int(logits(made, ids)[-1].argmax()))
    kept = logits(made, ids)[list(KEPT)]
    exact = logits(made.double(), ids)[list(KEPT)]
    rounding = float(np.linalg.norm(kept - exact) / np.linalg.norm(kept))
    provenance = {
        "oracle": "transformers",
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    np.savez_compressed(
        TARGET / f"{model.name}.npz",
        ids=np.array(ids, np.int32),
        n_prompt=N_PROMPT,
        positions=np.array(KEPT, np.int32),
        logits=kept,
        metadata=json.dumps({"sha256": sha256, "n_ctx": N_CTX, "float_rounding": rounding, **provenance}),
    )
    print(f"{model.name:20s} spread {kept.std():.2f}  rounding {rounding:.1e}  {ids[N_PROMPT:]}")


def main() -> None:
    """Make the models named on the command line, or all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for model in RANDOM_MODELS:
            if model.oracle == "transformers" and (len(sys.argv) == 1 or model.name in sys.argv[1:]):
                make(model, Path(folder))


if __name__ == "__main__":
    main()
