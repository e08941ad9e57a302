"""What `load_model` accepts of a file, and what it says of one that it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import TINY, Piece, load_golden, open_executor, relative
from helpers.embedding_models import EMBEDDING_MODELS
from helpers.random_models import load_random_golden, write_random_model
from helpers.random_tables import RANDOM_MODELS

from rushlight.backends.cache import AttentionCache
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import InvalidFile, InvalidParameter, UnsupportedModel
from rushlight.gguf import GGMLType, GGUFTensor, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.models import CausalModel, load_model, supported_architectures

Tensors = dict[str, tuple[GGMLType, tuple[int, ...], Any]]
RANDOM = {model.name: model for model in (*RANDOM_MODELS, *EMBEDDING_MODELS)}
Edit = Callable[[dict[str, Any], Tensors], object]


def entry(tensor: GGUFTensor) -> tuple[GGMLType, tuple[int, ...], Any]:
    return tensor.type, tensor.shape, tensor.raw


def f32(*shape: int) -> tuple[GGMLType, tuple[int, ...], Any]:
    return GGMLType.F32, shape, np.ones(shape, np.float32)


def source_of(name: str, folder: Path) -> Path:
    """The file of a tiny model; a random one is written."""
    if (TINY / f"{name}.gguf").exists():
        return TINY / f"{name}.gguf"
    write_random_model(RANDOM[name], folder / "random.gguf")
    return folder / "random.gguf"


def plain_model_of(arch: str) -> str:
    """The name of an architecture's first tiny model."""
    return f"{arch}-f32" if (TINY / f"{arch}-f32.gguf").exists() else arch


def load_edited(
    folder: Path, name: str, edit: Edit, n_ctx: int | None = None
) -> tuple[ReferenceBackend, CausalModel]:
    """Load a tiny model after changing its metadata and tensors."""
    path = folder / "edited.gguf"
    with open_gguf(source_of(name, folder)) as file:
        metadata = dict(file.metadata)
        tensors = {key: entry(tensor) for key, tensor in file.tensors.items()}
        edit(metadata, tensors)
        kept = [key for key in metadata if metadata[key] is file.metadata.get(key)]
        types = {key: file.metadata_types[key] for key in kept}
        write_gguf(path, metadata, [(key, *value) for key, value in tensors.items()], types=types)
    backend = ReferenceBackend()
    with open_gguf(path) as file:
        return backend, load_model(file, backend, n_ctx)


def logits_of(folder: Path, name: str, edit: Edit) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The logits of 90 tokens after changing a tiny model."""
    backend, model = load_edited(folder, name, edit, n_ctx=96)
    executor, paging = open_executor(backend, model, 96)
    return executor.step(paging.batch([Piece(np.random.RandomState(3).randint(0, 320, 90).tolist())]))


def put(values: Mapping[str, Any]) -> Edit:
    return lambda metadata, tensors: metadata.update(values)


def drop(*keys: str) -> Edit:
    def edit(metadata: dict[str, Any], tensors: Tensors) -> None:
        for key in keys:
            assert metadata.pop(key, None) is not None or tensors.pop(key, None) is not None

    return edit


def add_tensor(name: str, *shape: int) -> Edit:
    return lambda metadata, tensors: tensors.update({name: f32(*shape)})


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


@pytest.mark.parametrize("name", ["dense_2.weight", "dense_3.weight"])
def test_dense_layers_of_an_embedding_fit_each_other(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidFile, match="columns"):
        load_edited(tmp_path, "gemma-embedding", drop(name))


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


def test_no_position_is_loaded_that_scales_queries(tmp_path: Path) -> None:
    """Grok 2's queries grow from a position on, which is not computed."""
    edit = put({"grok.attention.temperature_length": 40})
    assert load_edited(tmp_path, "grok", edit)[1].n_ctx == 40
    assert load_edited(tmp_path, "grok", edit, n_ctx=40)[1].n_ctx == 40
    with pytest.raises(InvalidParameter, match="from position 40 on"):
        load_edited(tmp_path, "grok", edit, n_ctx=41)


@pytest.mark.parametrize("key", ["activate", "substitute"])
def test_tokens_of_adapters_must_exist(tmp_path: Path, key: str) -> None:
    tokens = np.array([5, 6, 320], np.int32)
    with pytest.raises(InvalidFile, match="token 320"):
        load_edited(tmp_path, "graniteswitch", put({f"graniteswitch.adapters.token_ids_{key}": tokens}))


def test_an_indexer_is_refused_where_it_is_not_implemented(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=re.escape("hy_v4.attention.indexer.top_k is 64")):
        load_edited(tmp_path, "hy_v4", put({"hy_v4.attention.indexer.top_k": 64}))
