"""What files of an architecture may say or leave out, and what it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import Piece, load_golden, open_executor, relative
from helpers.edited_models import RANDOM, Tensors, drop, f32, load_edited, logits_of, put
from helpers.random_models import load_random_golden

from rushlight.backends.cache import AttentionCache
from rushlight.errors import InvalidFile


@pytest.mark.parametrize(
    ("name", "dense"),
    [
        ("deepseek32", {"top_k": 1 << 20}),
        ("glm-dsa", {"top_k": 1 << 20}),
        ("dots3note", {"top_k": 1 << 20}),
        ("minimax-m3", {"top_k": 1 << 10, "block_size": 1 << 10}),
        ("minimax-m3", {"top_k": 1 << 20, "block_size": 1, "local_blocks": 1 << 20}),
    ],
)
def test_a_choice_of_more_than_there_is_sees_all(tmp_path: Path, name: str, dense: dict[str, int]) -> None:
    ids, rows = load_random_golden(name).ids[:24], []
    sizes = {f"{name}.attention.indexer.{key}": value for key, value in dense.items()}
    for edit, n_ctx in ((put({}), 40), (put(sizes), 40), (put(sizes), 24)):
        backend, model = load_edited(tmp_path, name, edit, n_ctx)
        executor, paging = open_executor(backend, model, n_ctx)
        rows.append(executor.step(paging.batch([Piece(ids)])))
    np.testing.assert_array_equal(rows[1], rows[0])
    np.testing.assert_array_equal(rows[2], rows[0])


def test_only_layers_with_an_indexer_keep_its_keys(tmp_path: Path) -> None:
    _, model = load_edited(tmp_path, "glm-dsa", put({}))
    latent, keys = AttentionCache(1, 40, 32), AttentionCache(1, 64, 0)
    assert model.cache.specs == (latent, latent, latent, keys, keys)


def test_the_sparsity_of_gemma3n_is_a_number_for_each_layer(tmp_path: Path) -> None:
    for value in (np.full(22, np.nan, np.float32), np.full(22, np.inf, np.float32), np.zeros(22, np.int32)):
        with pytest.raises(InvalidFile, match="activation_sparsity_scale"):
            load_edited(tmp_path, "gemma3n", put({"gemma3n.activation_sparsity_scale": value}))
    with pytest.raises(InvalidFile, match="expected 22"):
        load_edited(tmp_path, "gemma3n", put({"gemma3n.activation_sparsity_scale": np.zeros(3, np.float32)}))


def test_old_gemma3n_files_have_10_sparse_layers_and_20_that_keep(tmp_path: Path) -> None:
    edit = drop("gemma3n.activation_sparsity_scale", "gemma3n.attention.shared_kv_layers")
    golden = load_random_golden("gemma3n")
    backend, model = load_edited(tmp_path, "gemma3n", edit, golden.n_ctx)
    assert len(model.cache.specs) == 20
    executor, paging = open_executor(backend, model, golden.n_ctx)
    found = executor.step(paging.batch([Piece(golden.ids)]))[golden.positions]
    assert relative(found, golden.logits) < 5 * golden.float_rounding


def test_layers_that_share_keys_and_values_keep_none(tmp_path: Path) -> None:
    _, model = load_edited(tmp_path, "gemma4", put({}))
    found = [(s.n_head_kv, s.head_dim_k, s.head_dim_v, s.window) for s in model.cache.specs]
    local, full = (2, 16, 16, 12), (1, 32, 32, 0)
    assert found == [local, local, full, local, full]


def test_how_a_classifier_pools_matters_to_classifiers_alone(tmp_path: Path) -> None:
    _, model = load_edited(tmp_path, "eurobert", put({"eurobert.classifier.pooling_type": 1}))
    assert model.config.arch == "eurobert"


def test_multipliers_of_granitehybrid_may_be_missing(tmp_path: Path) -> None:
    names = "logit_scale", "embedding_scale", "residual_scale", "attention.scale"
    rows = []
    for edit in (
        drop(*(f"granitehybrid.{name}" for name in names)),
        put({f"granitehybrid.{name}": float(name == "logit_scale") for name in names}),
    ):
        rows.append(logits_of(tmp_path, "granitehybrid", edit))
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize("name", ["mellum", "olmo2-swa"])
def test_windowed_layers_turn_with_a_base_of_their_own(tmp_path: Path, name: str) -> None:
    """As in transformers; llama.cpp leaves the key of these unread."""
    arch = RANDOM[name].arch
    n_layer = RANDOM[name].n_layer

    def logits(windowed: bool, **bases: float) -> np.ndarray[Any, np.dtype[np.float32]]:
        pattern = np.full(n_layer, windowed)
        values = {"attention.sliding_window_pattern": pattern, **{f"rope.{k}": v for k, v in bases.items()}}
        edit = put({f"{arch}.{key}": value for key, value in values.items()})
        return logits_of(tmp_path, name, edit)

    local = logits(True, freq_base=3e4)
    np.testing.assert_array_equal(logits(True, freq_base=5e5, freq_base_swa=3e4), local)
    assert relative(logits(True, freq_base=5e5), local) > 1e-2
    np.testing.assert_array_equal(
        logits(False, freq_base=3e4, freq_base_swa=5e5), logits(False, freq_base=3e4)
    )


def test_a_period_of_0_gives_every_layer_a_window(tmp_path: Path) -> None:
    for period, windows in ((0, [12, 12, 12]), (1, [0, 0, 0]), (3, [12, 12, 0])):
        edit = put({"gemma2.attention.sliding_window_pattern": period})
        _, model = load_edited(tmp_path, "gemma2", edit)
        assert [spec.window for spec in model.cache.specs] == windows


@pytest.mark.parametrize("name", ["qwen35", "qwen3next"])
def test_layers_that_predict_further_tokens_are_left_out(tmp_path: Path, name: str) -> None:
    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        metadata[f"{name}.block_count"] += 1
        metadata[f"{name}.nextn_predict_layers"] = 1
        tensors["blk.4.nextn.eh_proj.weight"] = f32(64, 128)

    golden = load_random_golden(name)
    backend, model = load_edited(tmp_path, name, edit, golden.n_ctx)
    executor, paging = open_executor(backend, model, golden.n_ctx)
    found = executor.step(paging.batch([Piece(golden.ids)]))[golden.positions]
    assert relative(found, golden.logits) < 1e-4


def test_a_file_of_experts_alone_may_have_no_dense_width(tmp_path: Path) -> None:
    golden = load_random_golden("qwen35moe")
    edit = drop("qwen35moe.feed_forward_length")
    backend, model = load_edited(tmp_path, "qwen35moe", edit, golden.n_ctx)
    executor, paging = open_executor(backend, model, golden.n_ctx)
    found = executor.step(paging.batch([Piece(golden.ids)]))[golden.positions]
    assert relative(found, golden.logits) < 1e-4


def test_separate_projections_give_what_joined_ones_give(tmp_path: Path) -> None:
    """A phi3 file with attn_q, attn_k and attn_v, as llama.cpp allows, is the same model."""

    def split(metadata: dict[str, Any], tensors: Tensors) -> None:
        for i in range(2):
            kind, (_, k), raw = tensors.pop(f"blk.{i}.attn_qkv.weight")
            for name, rows in zip("qkv", np.split(raw, 3), strict=True):
                tensors[f"blk.{i}.attn_{name}.weight"] = kind, (len(rows), k), rows

    golden = load_golden("phi3-f32")
    backend, model = load_edited(tmp_path, "phi3-f32", split, golden.n_ctx)
    executor, paging = open_executor(backend, model, golden.n_ctx)
    assert relative(executor.step(paging.batch([Piece(golden.ids)])), golden.exact) < 5e-6
