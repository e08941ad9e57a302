"""Models for embeddings and for ranking: every part of a file matters, and nothing else does.

tests/test_embeddings.py and tests/test_reranking.py compare them with llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.batches import relative
from helpers.cpu import runs_here
from helpers.embeddings import GOLDEN, MODELS, raw_results
from helpers.random_models import RandomModel, metadata_of, tensors_of, write_model

from rushlight.backends.cpu import CpuBackend
from rushlight.backends.cpu.target import TARGETS
from rushlight.backends.reference import ReferenceBackend
from rushlight.errors import RushlightError
from rushlight.gguf import GGMLType
from rushlight.models import supported_architectures

FELT = 3e-4
"""What a part of a model must move when it is changed: far above what rounding does."""

N_CTX = 100
OTHER_TARGETS = [target for target in TARGETS if runs_here(target)][1:]
WITHOUT_ROPE = {"bert", "jina-bert-v2"}
WITHOUT_EFFECT = {"context_length", "rope.dimension_sections"}


@pytest.fixture(scope="module", params=MODELS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A model of the table, its file, and what the reference gives for a text."""
    model = MODELS[request.param]
    path = tmp_path_factory.mktemp("embeddings") / "model.gguf"
    write_model(path, metadata_of(model), tensors_of(model))
    yield model, path, results(path, model)
    path.unlink()


def results(path: Path, model: RandomModel) -> Any:
    """Of a text beyond every window."""
    return raw_results(ReferenceBackend(), path, [GOLDEN[model.name]["ids"][2][:40]], N_CTX)


def test_every_encoder_is_here() -> None:
    encoders = {
        arch for arch in supported_architectures() if "bert" in arch or arch.endswith(("embed", "embedding"))
    }
    assert len(encoders) >= 9
    assert encoders <= {model.arch for model in MODELS.values()}


def test_company_threads_and_targets_do_not_change_a_bit(written: Any, tmp_path: Path) -> None:
    """With matrices of 8 bits, whose kernels differ by target."""
    model, _, _ = written
    path, texts = tmp_path / "q8_0.gguf", GOLDEN[model.name]["ids"]
    write_model(path, metadata_of(model), tensors_of(model), GGMLType.Q8_0)
    alone = [raw_results(CpuBackend(1), path, [ids], N_CTX) for ids in texts]
    for target in (None, *OTHER_TARGETS):
        together = raw_results(CpuBackend(2, target=target), path, texts, N_CTX)
        np.testing.assert_array_equal(together, np.concatenate(alone))


def test_every_tensor_matters(written: Any, tmp_path: Path) -> None:
    """One tensor of each name, changed, moves the results: none is read and forgotten."""
    model, _, plain = written
    tensors, rng = tensors_of(model), np.random.RandomState(2)
    kinds: dict[str, list[str]] = {}
    for name in tensors:
        kinds.setdefault(name.split(".", 2)[-1] if name.startswith("blk.") else name, []).append(name)
    for i, (kind, names) in enumerate(kinds.items()):
        if kind == "output.weight":
            continue  # an embedding is made of what would go into the head
        if kind in ("attn_k.bias", "attn_k_norm.bias") and model.arch in WITHOUT_ROPE:
            continue  # all scores of a query grow by the same, which softmax undoes
        name = names[i % len(names)]
        factors = 1 + 0.2 * rng.uniform(-1, 1, tensors[name].shape).astype(np.float32)
        changed = {**tensors, name: tensors[name] * factors}
        write_model(tmp_path / "changed.gguf", metadata_of(model), changed)
        assert relative(results(tmp_path / "changed.gguf", model), plain) > FELT, name


def others(value: Any) -> list[Any]:
    """Values that are not the one of a file."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return ["gelu" if value == "silu" else "none"]
    if isinstance(value, list):
        return [[*value, "another"]]
    if isinstance(value, np.ndarray):
        return [~value]
    return [value + 1, 2 * value, 16 * value] if isinstance(value, int) else [1.5 * value, 4 * value]


def test_every_key_matters(written: Any, tmp_path: Path) -> None:
    """Each hyper-parameter, changed, moves the results, or is refused for what it contradicts."""
    model, _, plain = written
    metadata, tensors = metadata_of(model), tensors_of(model)

    def moves(key: str, other: Any) -> bool:
        write_model(tmp_path / "changed.gguf", {**metadata, key: other}, tensors)
        try:
            found = results(tmp_path / "changed.gguf", model)
        except RushlightError:
            return True
        return found.shape != plain.shape or relative(found, plain) > FELT

    for key, value in metadata.items():
        arch, _, short = key.partition(".")
        if arch == model.arch and short not in WITHOUT_EFFECT:
            assert any(moves(key, other) for other in others(value)), key
