"""What a file of some architecture may not say, and the words of the errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.edited_models import RANDOM, drop, load_edited, put

from rushlight.errors import InvalidFile, InvalidParameter, UnsupportedModel


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"gemma4.attention.shared_kv_layers": 3}, "windowed and a full layer"),
        ({"gemma4.attention.value_length": 16}, "as wide as"),
        ({"gemma4.attention.head_count_kv": np.array([2, 2, 3, 2, 1, 2, 1], np.int32)}, "evenly"),
    ],
)
def test_contradictions_of_gemma4_are_named(tmp_path: Path, metadata: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, "gemma4", put(metadata))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("indexer.types", np.array([False, True, True]), "first layer"),
        ("indexer.types", np.array([True, True, True]), "blk.1.indexer"),
        ("indexer.types", np.array([True, False]), "expected 3"),
        ("indexer.key_length", 4, "fewer than the 8"),
        ("indexer.head_count", 0, "head_count"),
        ("indexer.top_k", 0, "top_k"),
    ],
)
def test_contradictions_of_indexers_are_named(tmp_path: Path, key: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, "glm-dsa", put({f"glm-dsa.attention.{key}": value}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("head_count", 4, "4 heads choose blocks for 2"),
        ("key_length", 6, "fewer than the 8"),
        ("top_k", 1, "local_blocks"),
        ("block_size", 1 << 20, "block_size"),
        ("local_blocks", 0, "local_blocks"),
    ],
)
def test_contradictions_of_block_choices_are_named(tmp_path: Path, key: str, value: int, words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, "minimax-m3", put({f"minimax-m3.attention.indexer.{key}": value}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("attention.indexer.types", np.array([True, True, False, True]), "Layers with an indexer"),
        ("attention.sliding_window_pattern", np.array([True, False]), "expected 4"),
        ("attention.key_length_swa", 40, "cannot keep"),
        ("attention.key_length_mla", 8, "cannot keep"),
        ("attention.head_count", np.array([4, 2, 4, 4], np.int32), r"blk\.2\.attn_q_b"),
    ],
)
def test_contradictions_of_dots3note_are_named(tmp_path: Path, key: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, "dots3note", put({f"dots3note.{key}": value}))


def test_scalings_of_sparse_models_that_no_file_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"yarn_log_multiplier is 0\.2"):
        load_edited(tmp_path, "deepseek32", put({"deepseek32.rope.scaling.yarn_log_multiplier": 0.2}))
    yarn = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}
    for arch in ("glm-dsa", "dots3note"):
        with pytest.raises(UnsupportedModel, match=rf"{arch} with rope\.scaling"):
            load_edited(tmp_path, arch, put({f"{arch}.{key}": value for key, value in yarn.items()}))


@pytest.mark.parametrize("name", ["dense_2.weight", "dense_3.weight"])
def test_dense_layers_of_an_embedding_fit_each_other(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidFile, match="columns"):
        load_edited(tmp_path, "gemma-embedding", drop(name))


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("lfm2", "attention.head_count_kv", np.array([0, 0, 0, 0], np.int32), r"head_count_kv holds \[0\]"),
        ("lfm2", "attention.head_count_kv", np.array([0, 2, 4, 0], np.int32), "expected one number, and 0"),
        ("lfm2", "shortconv.l_cache", 1, "l_cache is 1; expected at least 2"),
        ("qwen35", "ssm.inner_size", 96, "ssm.inner_size is 96; expected .* 128"),
        ("qwen35", "ssm.group_count", 3, "4 value heads .* cannot share 3 key heads"),
        ("qwen35", "attention.value_length", 16, "Key heads have 32 columns and value heads 16"),
        ("qwen35", "full_attention_interval", 0, "full_attention_interval is 0"),
        ("qwen35-listed", "attention.recurrent_layers", np.array([1, 0, 1], np.int32), "holds no bools"),
        ("qwen35-listed", "attention.recurrent_layers", np.array([True]), "has 1 elements; expected 3"),
    ],
)
def test_layers_with_a_state_that_do_not_fit(
    tmp_path: Path, name: str, key: str, value: Any, words: str
) -> None:
    with pytest.raises(InvalidFile, match=words):
        load_edited(tmp_path, name, put({f"{RANDOM[name].arch}.{key}": value}))


@pytest.mark.parametrize("key", ["activate", "substitute"])
def test_tokens_of_adapters_must_exist(tmp_path: Path, key: str) -> None:
    tokens = np.array([5, 6, 320], np.int32)
    with pytest.raises(InvalidFile, match="token 320"):
        load_edited(tmp_path, "graniteswitch", put({f"graniteswitch.adapters.token_ids_{key}": tokens}))


def test_an_indexer_is_refused_where_it_is_not_implemented(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=re.escape("hy_v4.attention.indexer.top_k is 64")):
        load_edited(tmp_path, "hy_v4", put({"hy_v4.attention.indexer.top_k": 64}))


def test_no_position_is_loaded_that_scales_queries(tmp_path: Path) -> None:
    """Grok 2's queries grow from a position on, which is not computed."""
    edit = put({"grok.attention.temperature_length": 40})
    assert load_edited(tmp_path, "grok", edit)[1].n_ctx == 40
    assert load_edited(tmp_path, "grok", edit, n_ctx=40)[1].n_ctx == 40
    with pytest.raises(InvalidParameter, match="from position 40 on"):
        load_edited(tmp_path, "grok", edit, n_ctx=41)
