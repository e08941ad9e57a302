"""Architectures on random weights against llama.cpp (tests/goldens/make_random_logits.py).

Where llama.cpp deviates from the model, against transformers (tests/goldens/make_transformers_logits.py).

The files are written here, and their SHA-256 says that they are those llama.cpp read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import Piece, open_executor, relative
from helpers.cpu import runs_here
from helpers.eight_bits import round_activations
from helpers.random_models import (
    Float32Array,
    RandomGolden,
    RandomModel,
    load_random_golden,
    metadata_of,
    tensors_of,
    write_model,
    write_random_model,
)
from helpers.random_tables import RANDOM_MODELS

from rushlight import LLM, SamplingParams
from rushlight.backends.base import Backend
from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.target import TARGETS
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import RushlightError
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.types import BLOCK_SIZES
from rushlight.models import load_model

# Float32 sums in another order; in deep models several times what llama.cpp differs by from itself, when it
# decodes a prompt token by token.
EXACT, TIMES_ROUNDING = 1e-5, 5
# What a part of a model must move when it is changed by a tenth or more: far above what rounding does.
FELT = 3e-4

# llama.cpp has this window whatever the file says, and no golden is so long.
FIXED_WINDOW = 4096

OTHER_TARGETS = [target for target in TARGETS if runs_here(target)][1:]
MODELS = {model.name: model for model in RANDOM_MODELS}
# Keys whose value says nothing about the logits, or says it only where another is missing.
WITHOUT_EFFECT = {
    "context_length",  # a file without rope.scaling.original_context_length takes it for that
    "stablelm.use_parallel_residual",  # its converters write true for all
    "qwen2vl.attention.layer_norm_rms_epsilon",  # see its row
    "rope.dimension_sections",  # of images
    "n_deepstack_layers",  # of images
    "qwen3moe.feed_forward_length",  # that of the experts is another key, here and below
    "gpt-oss.feed_forward_length",
    "smallthinker.feed_forward_length",
    "smallthinker.attention.sliding_window",  # see FIXED_WINDOW
    "minimax-m2.feed_forward_length",
    "qwen3vlmoe.feed_forward_length",
    "bailingmoe.feed_forward_length",
    "qwen35moe.feed_forward_length",
    "qwen3next.feed_forward_length",
    "nemotron_h: attention.layer_norm_epsilon",  # beside that of its RMS norms
    "nemotron_h_moe: attention.layer_norm_epsilon",
    "nemotron_h_moe.expert_shared_count",  # expert_shared_feed_forward_length is that of all together
    "laguna.expert_shared_count",
    "bailingmoe3: expert_shared_count",
    "bailingmoe3.attention.value_length",  # that of neither kind of layer, in real files too
    "mellum.feed_forward_length",
    "maple.feed_forward_length",
    "grok.attention.temperature_length",  # no model is loaded for more positions than that
    "grok.router_logit_softcapping",  # llama.cpp does not apply it
    "muse-glimmer.rope.freq_base",  # its layers with RoPE have another
    "maple.rope.freq_base",
    "minicpm3.rope.scaling.type",
    "exaone-moe.expert_shared_count",  # expert_shared_feed_forward_length is that of all together
    "deepseek2-dense: leading_dense_block_count",  # keys of experts in a file that has none
    "deepseek2-dense: expert_shared_count",
    "deepseek2-dense: expert_feed_forward_length",
    "phimoe.rope.scaling.type",  # its factors are used wherever a file has them, as llama.cpp does
    "command-r.rope.scaling.type",  # its converters write none, and no factor either
}
# Of images; of first layers, which have none before them; files have them for llama.cpp alone.
UNREAD = {"blk.0.attn_res_score.weight", *(f"blk.0.time_mix_v{i}.weight" for i in range(3))}


@pytest.fixture(scope="module", params=MODELS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A model of the table, its file, and its golden."""
    model = MODELS[request.param]
    path = tmp_path_factory.mktemp("random") / "model.gguf"
    golden = load_random_golden(model.name)
    assert write_random_model(model, path) == golden.sha256
    yield model, path, golden
    path.unlink()


def logits(backend: Backend, path: Path, golden: RandomGolden, chunks: tuple[int, ...] = ()) -> Float32Array:
    """Logits after every token of the golden, computed in chunks of these lengths and the rest."""
    with open_gguf(path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
        rows, start = [], 0
        for n in (*chunks, len(golden.ids) - sum(chunks)):
            rows.append(executor.step(paging.batch([Piece(golden.ids[start : start + n], start)])).copy())
            start += n
        executor.close()
    return np.concatenate(rows)


def first_logits(backend: Backend, path: Path, golden: RandomGolden) -> Float32Array:
    """Logits after each of the golden's first eight tokens, each alone."""
    with open_gguf(path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
        rows = [executor.step(paging.batch([Piece([token])])).copy() for token in golden.ids[:8]]
        executor.close()
    return np.concatenate(rows)


def test_every_row_is_hard(written: tuple[RandomModel, Path, RandomGolden]) -> None:
    """Logits that differ, and rows beyond windows and original contexts."""
    model, _, golden = written
    assert (golden.logits.std(axis=1) > 0.05).all()
    keys = "attention.sliding_window", "rope.scaling.original_context_length"
    short = [length for length in (model.metadata.get(key, 64) for key in keys) if length != FIXED_WINDOW]
    assert golden.positions[-1] > max(short)


def test_logits_are_those_of_llama_cpp(written: tuple[RandomModel, Path, RandomGolden]) -> None:
    _, path, golden = written
    found = logits(ReferenceBackend(), path, golden)
    assert relative(found[golden.positions], golden.logits) < max(
        EXACT, TIMES_ROUNDING * golden.float_rounding
    )
    assert found[golden.n_prompt - 1 : -1].argmax(axis=1).tolist() == golden.ids[golden.n_prompt :]


def test_the_cpu_backend_gives_them_in_any_chunks(written: tuple[RandomModel, Path, RandomGolden]) -> None:
    _, path, golden = written
    found = logits(CpuBackend(n_threads=2), path, golden)
    assert relative(found[golden.positions], golden.logits) < max(
        EXACT, TIMES_ROUNDING * golden.float_rounding
    )
    np.testing.assert_array_equal(logits(CpuBackend(n_threads=1), path, golden, (1, 2, 33, 1, 16)), found)


def test_greedy_tokens_are_those_of_llama_cpp(written: tuple[RandomModel, Path, RandomGolden]) -> None:
    _, path, golden = written
    answer = golden.ids[golden.n_prompt :]
    params = SamplingParams(max_tokens=len(answer), temperature=0, ignore_eos=True)
    with LLM(path, n_ctx=golden.n_ctx, kv_dtype="f32") as llm:
        assert llm.generate(golden.ids[: golden.n_prompt], params).token_ids == answer


def test_quantized_weights_are_multiplied_by_rounded_activations(
    written: tuple[RandomModel, Path, RandomGolden], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model with matrices of 8 bits: other kernels, fused ones among them."""
    model, _, golden = written
    path = tmp_path / "q8_0.gguf"
    write_model(path, metadata_of(model), tensors_of(model), GGMLType.Q8_0)
    found = logits(CpuBackend(n_threads=2), path, golden)
    np.testing.assert_array_equal(logits(CpuBackend(n_threads=1), path, golden, (1, 2, 33, 1, 16)), found)
    for target in OTHER_TARGETS:
        np.testing.assert_array_equal(logits(CpuBackend(2, target=target), path, golden), found)
    first = first_logits(CpuBackend(n_threads=2), path, golden)
    round_activations(monkeypatch, BLOCK_SIZES[GGMLType.Q8_0].values)
    rounded = logits(ReferenceBackend(), path, golden)
    first_rounded = first_logits(ReferenceBackend(), path, golden)
    # Where a float32 sum falls on the other side of a tie, an activation differs by a whole step, and with it
    # all that attends to it; but most single tokens have no such place.
    assert relative(found, rounded) < 0.1
    assert min(relative(a, b) for a, b in zip(first, first_rounded, strict=True)) < EXACT


def test_every_tensor_matters(written: tuple[RandomModel, Path, RandomGolden], tmp_path: Path) -> None:
    """One tensor of each name, changed, moves the logits: none is read and forgotten."""
    model, path, golden = written
    plain = logits(ReferenceBackend(), path, golden)
    tensors = tensors_of(model)
    rng = np.random.RandomState(2)
    kinds: dict[str, list[str]] = {}
    for name in (name for name in tensors if name not in UNREAD and ".vis_" not in name):
        kinds.setdefault(name.split(".", 2)[-1] if name.startswith("blk.") else name, []).append(name)
    for i, (kind, names) in enumerate(kinds.items()):
        if kind == "rope_factors_short.weight":
            continue  # of a shorter context than the golden's
        name = names[i % len(names)]
        factors = 1 + 0.2 * rng.uniform(-1, 1, tensors[name].shape).astype(np.float32)
        changed = {**tensors, name: tensors[name] * factors}
        write_model(tmp_path / "changed.gguf", metadata_of(model), changed)
        found = logits(ReferenceBackend(), tmp_path / "changed.gguf", golden)
        assert relative(found, plain) > FELT, name


def others(value: Any) -> list[Any]:
    """Values that are not the one of a file."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return ["none" if value != "none" else "linear"]
    if isinstance(value, np.ndarray):
        return [2 * value if value.dtype == np.float32 else ~value]
    return [value + 1, 2 * value, 16 * value] if isinstance(value, int) else [1.5 * value, 4 * value]


def test_every_key_matters(written: tuple[RandomModel, Path, RandomGolden], tmp_path: Path) -> None:
    """Each hyper-parameter, changed, moves the logits, or is refused for what it contradicts."""
    model, path, golden = written
    plain = logits(ReferenceBackend(), path, golden)
    metadata, tensors = metadata_of(model), tensors_of(model)

    def moves(key: str, other: Any) -> bool:
        write_model(tmp_path / "changed.gguf", {**metadata, key: other}, tensors)
        try:
            found = logits(ReferenceBackend(), tmp_path / "changed.gguf", golden)
        except RushlightError:
            return True
        return relative(found, plain) > FELT

    for key, value in metadata.items():
        arch, _, short = key.partition(".")
        if arch in (model.arch, "xielu") and WITHOUT_EFFECT.isdisjoint(
            (key, short, f"{model.name}: {short}")
        ):
            assert any(moves(key, other) for other in others(value)), key
