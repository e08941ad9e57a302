"""From an open file to an engine that runs its model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rushlight.backends import load_backend
from rushlight.errors import InvalidParameter, OutOfMemory
from rushlight.gguf import GGMLType, GGUFFile
from rushlight.models import load_model
from rushlight.models.decoder import CausalModel
from rushlight.params import EngineOptions
from rushlight.progress import Progress

if TYPE_CHECKING:
    from rushlight.engine.disk import DiskCache
    from rushlight.engine.engine import Engine
    from rushlight.text import Tokenizer

DEFAULT_CTX = 8192


class Loaded(NamedTuple):
    """A model that is ready to run; `backend` is the name of what runs it."""

    model: CausalModel
    tokenizer: Tokenizer
    engine: Engine
    backend: str


def load_engine(
    file: GGUFFile,
    *,
    backend: str,
    tokenizer: str | os.PathLike[str] | None,
    n_threads: int | None,
    n_ctx: int | None,
    kv_dtype: str,
    progress: Progress | None,
    options: EngineOptions,
) -> Loaded:
    """Load the model of a file and bind it to a backend; the arguments are `LLM`'s.

    Weights are packed in the background from `load_model` on, while the tokenizer is read.

    Raises:
        InvalidParameter: an argument outside its range.
        OutOfMemory: the weights or the KV cache do not fit.
        InvalidFile, UnsupportedModel, UnsupportedTensorType, BackendUnavailable: see `load_model` and
            `load_backend`.
        UnsupportedTokenizer: see `load_tokenizer`.
    """
    if n_threads is not None and (
        isinstance(n_threads, bool) or not isinstance(n_threads, int) or n_threads < 1
    ):
        raise InvalidParameter(f"n_threads is {n_threads!r}; it must be a positive integer.")
    runner = load_backend(backend, n_threads, progress, _types(file, 2), _types(file, 3))
    try:
        model = load_model(file, runner, context_for(file, n_ctx))
        # All that follows is imported and done while the weights are packed.
        from rushlight.engine.engine import Engine
        from rushlight.engine.limits import limits_for
        from rushlight.text import load_tokenizer

        text = load_tokenizer(file if tokenizer is None else tokenizer)
        limits = limits_for(model.cache, model.n_ctx, kv_dtype, options)
        executor = runner.executor(model, limits)
    except BaseException as error:
        runner.close()
        if not isinstance(error, MemoryError):
            raise
        raise OutOfMemory(
            f"{file.path.name} ({file.n_bytes / 2**30:.1f} GiB) and its KV cache do not fit the memory; "
            "choose a smaller model, n_ctx or kv_tokens."
        ) from error
    engine = Engine(
        executor,
        model.cache,
        limits,
        n_vocab=model.n_vocab,
        eog_ids=text.eog_ids,
        prefix_cache=options.prefix_cache,
        step_seconds=options.step_seconds,
        disk=_disk_cache(file, runner.name, model, kv_dtype, options),
    )
    return Loaded(model, text, engine, runner.name)


def _disk_cache(
    file: GGUFFile, backend: str, model: CausalModel, kv_dtype: str, options: EngineOptions
) -> DiskCache | None:
    if options.cache_dir is None or model.config.pooling:
        return None
    from rushlight.engine.disk import DiskCache
    from rushlight.engine.disk.identity import Identity

    identity = Identity(file.paths, backend, kv_dtype, model.n_ctx, model.cache)
    return DiskCache(options.cache_dir, options.cache_bytes, identity)


def _types(file: GGUFFile, n_dimensions: int) -> set[GGMLType]:
    """Those of matrices, or of the matrices of experts, which have three dimensions."""
    return {tensor.type for tensor in file.tensors.values() if len(tensor.shape) == n_dimensions}


def context_for(file: GGUFFile, n_ctx: int | None) -> int | None:
    """The context to load for.

    More than the model was trained for is the user's choice: it computes, and its quality is unknown.

    Raises:
        InvalidParameter: no integer of at least 2.
    """
    trained = file.metadata.get(f"{file.metadata.get('general.architecture')}.context_length")
    if not isinstance(trained, int):
        return n_ctx  # the model's loader says what is missing
    if n_ctx is None:
        return min(trained, DEFAULT_CTX)
    if isinstance(n_ctx, bool) or not isinstance(n_ctx, int) or n_ctx < 2:
        raise InvalidParameter(f"n_ctx is {n_ctx!r}; it must be an integer of at least 2.")
    return n_ctx
