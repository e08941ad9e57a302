"""What `load_model` accepts of a file, and what it says of one that it does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import TINY
from helpers.edited_models import (
    Tensors,
    add_tensor,
    drop,
    f32,
    load_edited,
    logits_of,
    plain_model_of,
    put,
    source_of,
)
from helpers.random_tables import RANDOM_MODELS

from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import InvalidFile, InvalidParameter, UnsupportedModel
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.models import load_model, supported_architectures


def test_supported_architectures_are_the_files() -> None:
    found = supported_architectures()
    assert found == sorted(found)
    assert {"gemma3", "llama", "phi2", "phi3", "qwen2", "qwen3"} < set(found)
    assert {model.arch for model in RANDOM_MODELS} < set(found)
    assert "command-r" in found and "command_r" not in found


@pytest.mark.parametrize("arch", supported_architectures())
def test_an_unread_key_or_tensor_is_an_error(tmp_path: Path, arch: str) -> None:
    with pytest.raises(UnsupportedModel, match=re.escape(f"{arch}.attention.novelty")):
        load_edited(tmp_path, plain_model_of(arch), put({f"{arch}.attention.novelty": 1.0}))
    with pytest.raises(UnsupportedModel, match=re.escape("blk.1.attn_novelty.weight")):
        load_edited(tmp_path, plain_model_of(arch), add_tensor("blk.1.attn_novelty.weight", 4))


@pytest.mark.parametrize("arch", supported_architectures())
def test_what_is_missing_is_named(tmp_path: Path, arch: str) -> None:
    needs_width = arch not in ("qwen35moe", "qwen3next", "mamba", "mamba2", "maple")
    for key in ("block_count", "context_length", *["feed_forward_length"] * needs_width):
        with pytest.raises(InvalidFile, match=re.escape(f"{arch}.{key}")):
            load_edited(tmp_path, plain_model_of(arch), drop(f"{arch}.{key}"))
    with open_gguf(source_of(plain_model_of(arch), tmp_path)) as file:
        names = [
            name
            for name in file.tensors
            if re.search(r"\.(attn_output|ssm_out|time_mix_output|ffn_down.*)\.weight", name)
        ]
    for name in ("token_embd.weight", names[0], names[-1]):
        with pytest.raises(InvalidFile, match=re.escape(name)):
            load_edited(tmp_path, plain_model_of(arch), drop(name))


@pytest.mark.parametrize("arch", supported_architectures())
def test_keys_and_shapes_of_real_files_that_change_nothing(tmp_path: Path, arch: str) -> None:
    harmless = {
        "vocab_size": 320,
        "attention.causal": True,
        "expert_count": 0,
        "rope.scaling.finetuned": True,
        "rope.scaling.type": "none",
        "rope.scaling.factor": 0.0,
        "rope.scaling.attn_factor": 1.0,
        "rope.scaling.yarn_ext_factor": -1.0,
        "rope.scaling.yarn_beta_fast": 32.0,
        "pooling_type": 0,
        "attention.layer_norm_epsilon": 0.5,
        "attention.layer_norm_rms_epsilon": 0.5,
    }

    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        for key, value in harmless.items():
            metadata.setdefault(f"{arch}.{key}", value)
        for name, (type, shape, raw) in tensors.items():
            if len(shape) == 1:  # as converters write ffn_gate_inp_shexp
                tensors[name] = type, (1, *shape), raw

    rows = []
    for own in (edit, lambda metadata, tensors: None):
        rows.append(logits_of(tmp_path, plain_model_of(arch), own))
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize(
    ("name", "metadata", "words"),
    [
        ("qwen2-f32", {"qwen2.expert_count": 8}, "experts"),
        ("llama-f32", {"llama.attention.causal": False}, "causal"),
        ("llama-f32", {"llama.rope.scaling.type": "dynamic"}, "dynamic"),
        ("llama-f32", {"llama.rope.scaling.alpha": 1000.0}, "alpha"),
        ("llama-f32", {"llama.rope.dimension_count": 8}, "dimension_count"),
        ("llama-f32", {"llama.attention.head_count_kv": np.array([2, 4], np.int32)}, "differs by layer"),
        ("qwen2-f32", {"qwen2.rope.scaling.yarn_attn_factor": 0.7}, "temperature"),
        ("cohere2", {"cohere2.rope.freq_base_swa": 5e4}, "another base"),
        (
            "granitehybrid",
            {"granitehybrid.rope.dimension_count": 8, "granitehybrid.rope.scaling.finetuned": True},
            "Bamba",
        ),
        ("phi3-f32", {"general.architecture": "phi9"}, "phi9.*" + ".*, ".join(supported_architectures())),
        ("phi3-f32", {"general.architecture": "rope"}, "not supported"),
        ("phi3-f32", {"general.architecture": "../llama"}, "not supported"),
    ],
)
def test_features_that_are_not_implemented_are_named(
    tmp_path: Path, name: str, metadata: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnsupportedModel, match=words):
        load_edited(tmp_path, name, put(metadata))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"llama.block_count": 0}, "block_count"),
        ({"llama.block_count": 3}, "blk.2"),
        ({"llama.attention.head_count_kv": 3}, "evenly"),
        ({"llama.attention.head_count": 65}, "65 query heads"),
        ({"llama.embedding_length": 2**40}, "embedding_length"),
        ({"llama.rope.dimension_count": 7}, "even"),
        ({"llama.rope.freq_base": 0.0}, "freq_base"),
        ({"llama.rope.freq_base": float("nan")}, "freq_base"),
        ({"llama.rope.scaling.factor": 1e-9}, "radians"),
        ({"llama.context_length": "long"}, "context_length"),
        ({"llama.feed_forward_length": 97}, "ffn_gate"),
        ({"llama.attention.head_count": True}, "expected an integer"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, metadata: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, "llama-f32", put(metadata))


@pytest.mark.parametrize("pattern", [-1, 2.5, np.array([True, False]), np.array([1, 0, 1], np.int32)])
def test_a_window_pattern_is_a_period_or_a_bool_for_each_layer(tmp_path: Path, pattern: Any) -> None:
    with pytest.raises(InvalidFile, match=r"gemma2\.attention\.sliding_window_pattern"):
        load_edited(tmp_path, "gemma2", put({"gemma2.attention.sliding_window_pattern": pattern}))


def test_a_context_beyond_the_learned_positions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="n_ctx is 257; gpt2 models have embeddings of 256 positions"):
        load_edited(tmp_path, "gpt2", put({}), n_ctx=257)


@pytest.mark.parametrize("n_ctx", [0, -1, 1 << 40])
def test_a_context_that_cannot_be_loaded(n_ctx: int) -> None:
    with open_gguf(TINY / "llama-f32.gguf") as file, pytest.raises(InvalidParameter, match="n_ctx"):
        load_model(file, ReferenceBackend(), n_ctx)


def test_the_context_is_the_trained_one_by_default() -> None:
    with open_gguf(TINY / "llama-f32.gguf") as file:
        model = load_model(file, ReferenceBackend())
    assert (model.n_ctx, model.n_ctx_train, model.n_vocab, model.n_embd) == (64, 64, 320, 64)
    assert (model.arch, model.config.n_head, model.config.n_head_kv) == ("llama", 4, 2)


def test_a_file_without_an_architecture(tmp_path: Path) -> None:
    write_gguf(tmp_path / "none.gguf", {"general.name": "nobody"})
    with (
        open_gguf(tmp_path / "none.gguf") as file,
        pytest.raises(InvalidFile, match=r"general\.architecture"),
    ):
        load_model(file, ReferenceBackend())


def test_a_tensor_of_another_shape(tmp_path: Path) -> None:
    for name, shape in (("token_embd.weight", (320, 32)), ("blk.1.attn_norm.weight", (63,))):
        with pytest.raises(InvalidFile, match=re.escape(name)):
            load_edited(tmp_path, "llama-f32", add_tensor(name, *shape))


def test_a_vocabulary_of_another_size(tmp_path: Path) -> None:
    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        for name in ("token_embd.weight", "output.weight"):
            tensors[name] = f32(321, 64)

    with pytest.raises(InvalidFile, match="320 tokens, but embeddings of 321"):
        load_edited(tmp_path, "llama-f32", edit)


def test_longrope_needs_both_sets_of_factors(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="rope_factors_short"):
        load_edited(tmp_path, "phi3-longrope-f32", drop("rope_factors_short.weight"))
    both = drop("rope_factors_short.weight", "rope_factors_long.weight")

    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        both(metadata, tensors)
        metadata["phi3.rope.scaling.type"] = "longrope"

    with pytest.raises(InvalidFile, match="rope_factors_long"):
        load_edited(tmp_path, "phi3-longrope-f32", edit)


def test_rope_factors_must_be_positive(tmp_path: Path) -> None:
    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        tensors["rope_freqs.weight"] = GGMLType.F32, (8,), np.zeros(8, np.float32)

    with pytest.raises(InvalidFile, match="positive"):
        load_edited(tmp_path, "llama-f32", edit)
