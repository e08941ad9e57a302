"""Tiny models loaded after a change to their metadata or tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from helpers.batches import TINY, Piece, open_executor
from helpers.embedding_models import EMBEDDING_MODELS
from helpers.random_models import write_random_model
from helpers.random_tables import RANDOM_MODELS

from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import GGMLType, GGUFTensor, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.models import CausalModel, load_model

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
