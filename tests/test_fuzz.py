"""Damaged files work or give one clear error: no other exception, no crash, no hang, no flood of memory.

A few thousand files here, 100,000 with `make test-fuzz`. A failure names the number of the file, from which
`damaged` makes it again; after a crash the file is still in the folder that pytest made.
"""

from __future__ import annotations

import contextlib
import random
import signal
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from goldens.small_vocabularies import SMALL_VOCABULARIES
from goldens.tiny_vocab import vocabulary_of
from helpers.embedding_models import EMBEDDING_MODELS, RANK_MODELS
from helpers.mutations import Sound, mutate, take_apart
from helpers.random_models import RandomModel, metadata_of, tensors_of, write_model
from helpers.random_tables import RANDOM_MODELS
from helpers.weights import blocks_like

from rushlight.cli.file_checks import check_text
from rushlight.cli.forecast import forecast
from rushlight.cli.machine import this_machine
from rushlight.errors import OutOfMemory, RushlightError
from rushlight.gguf import GGMLType, GGUFFile, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.llm import LLM
from rushlight.models.pooling import Pooling
from rushlight.params import EngineOptions, SamplingParams
from rushlight.quants import dequantize
from rushlight.text import load_tokenizer

# Windows, experts, sinks, latent attention, norms of other kinds and in other places, scaled and learned
# positions, layers that share keys and values; then two models whose matrices are of every type.
MODELS = ("gemma2", "mixtral", "gpt-oss", "glm-dsa", "olmo2", "minicpm-longrope", "gpt2", "gemma3n")
TYPES = tuple(GGMLType)
# What reads both ways: positions, a head of its own; windows, dense layers; ALiBi.
READERS = ("bert-rank", "gemma-embedding", "jina-bert-v2")
N_MODELS = len(MODELS) + len(READERS) + 2
SECONDS = 20.0  # of processor time, for one file
MEMORY = 1 << 30  # beyond what the process has when it begins
FEW = EngineOptions(n_batch_tokens=8, n_sequences=1)
MACHINE = this_machine()
TEXT = "  Hello, wörld 123 日本語 👍🏽 <s></s><|im_end|>\x00\n\u2581 the \udcff ing GATTACA"


class TooSlowError(BaseException):
    """A file took more than `SECONDS`."""


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory: pytest.TempPathFactory) -> list[Sound]:
    """What is damaged: tiny models, and small vocabularies of every kind."""
    path = tmp_path_factory.mktemp("sound") / "file.gguf"
    found = []
    for model in (*RANDOM_MODELS, *EMBEDDING_MODELS, *RANK_MODELS):
        if model.name in (*MODELS, *READERS):
            write_model(path, metadata_of(model), tensors_of(model), GGMLType.Q8_0)
            found.append(take_apart(path.read_bytes()))
    assert len(found) == len(MODELS) + len(READERS)
    for types in (TYPES[0::2], TYPES[1::2]):
        _write_types(path, types)
        found.append(take_apart(path.read_bytes()))
    rules = np.random.default_rng(0).integers(0, 256, 600).astype(np.uint8)
    rules[:4] = (0, 2, 0, 0)
    normalizing = {"tokenizer.ggml.precompiled_charsmap": rules}
    for metadata in (*SMALL_VOCABULARIES.values(), SMALL_VOCABULARIES["unigram"] | normalizing, _pieces()):
        write_gguf(path, metadata)
        found.append(take_apart(path.read_bytes()))
    return found


def _write_types(path: Path, types: tuple[GGMLType, ...]) -> None:
    """A llama of 256 columns, each of its matrices in the next type."""
    layer = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down"
    sizes = {"n_layer": 2, "n_embd": 256, "head_dim": 64, "n_head_kv": 1, "n_ff": 256}
    model = RandomModel("types", "llama", layer, **sizes)
    entries, next_type = [], cycle(types)
    for name, values in tensors_of(model).items():
        type = next(next_type) if values.ndim == 2 else GGMLType.F32
        entries.append((name, type, values.shape, blocks_like(values, type, seed=0)))
    assert {type for _, type, _, _ in entries} >= set(types)
    write_gguf(path, metadata_of(model), entries)


def _pieces() -> dict[str, Any]:
    vocabulary = vocabulary_of("gemma3")
    return {
        "general.architecture": "gemma3",
        "tokenizer.ggml.model": vocabulary.model,
        "tokenizer.ggml.tokens": list(vocabulary.tokens),
        "tokenizer.ggml.token_type": np.array(vocabulary.types, np.int32),
        "tokenizer.ggml.scores": np.array(vocabulary.scores, np.float32),
        "tokenizer.chat_template": vocabulary.chat_template,
    }


@pytest.fixture
def bounded() -> Iterator[None]:
    """Refuse memory beyond `MEMORY`, where the system can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        yield
        return
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


@contextlib.contextmanager
def limited_time() -> Iterator[None]:
    """Raise `TooSlowError` after `SECONDS`, where the system can."""
    if not hasattr(signal, "ITIMER_PROF"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlowError

    old = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def damaged(number: int, sound_files: list[Sound]) -> bytes:
    """The file of a number."""
    rng = random.Random(number)
    of_models = rng.random() < 0.6
    return mutate(rng, rng.choice(sound_files[:N_MODELS] if of_models else sound_files[N_MODELS:]))


def try_file(path: Path, number: int) -> str:
    """Use a file as far as it goes; how far that was.

    Raises:
        AssertionError: an error that is not clear.
        Exception: anything that is not a RushlightError.
    """
    how_far = "refused"
    try:
        with open_gguf(path) as file:
            how_far = "opened"
            read_all(file)
            rng = random.Random(number)
            if rng.random() < 0.1:
                for finding in check_text(file):
                    assert finding.message.strip()
            if rng.random() < 0.5 or not file.tensors:
                tokenizer = load_tokenizer(file)
                tokenizer.decode(tokenizer.encode(TEXT))
            if not file.tensors:
                return "vocabulary"
            found = forecast(file, MACHINE, None)
        if found.error is not None and rng.random() < 0.9:
            assert found.error.strip() and "\n" not in found.error
            return how_far
        how_far = "loaded"
        if rng.random() < 0.15:
            with LLM(path, n_threads=1, n_ctx=64, options=FEW) as llm:
                use(llm)
            how_far = "ran"
    except OutOfMemory as error:
        raise AssertionError(f"a small file asks for much memory: {error}") from error
    except RushlightError as error:
        assert str(error).strip() and "\n" not in str(error)
    return how_far


def use(llm: LLM) -> None:
    """Do what a model is for."""
    if llm.config.writes:
        params = SamplingParams(max_tokens=1, temperature=0, ignore_eos=True)
        assert len(llm.generate([5, 6, 7], params).token_ids) == 1
    elif llm.config.pooling is Pooling.RANK:
        assert llm.rerank("Hello", ["wörld", ""]).shape == (2,)
    elif llm.config.pooling is Pooling.NONE:
        assert len(llm.hidden_states([5, 6, 7])) == 3
    else:
        assert len(llm.embed([[5, 6, 7], [8]])) == 2


def read_all(file: GGUFFile) -> None:
    for value in file.metadata.values():
        if not isinstance(value, (str, int, float)):
            assert len(list(value)) == len(value)
    for tensor in list(file.tensors.values())[:3]:
        with np.errstate(all="ignore"):  # blocks by chance have scales that overflow
            assert dequantize(tensor.raw, tensor.type).shape == tensor.shape


def try_files(numbers: range, sound_files: list[Sound], folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number in numbers:
        path = folder / f"{number}.gguf"  # a new file each time: an older mapping must keep its own
        path.write_bytes(damaged(number, sound_files))
        try:
            with limited_time():
                counts[try_file(path, number)] += 1
        except BaseException as error:
            raise AssertionError(f"file {number}: {type(error).__name__}: {error}") from error
        path.unlink()
    return counts


def test_sound_files_work(sound_files: list[Sound], tmp_path: Path) -> None:
    """What is damaged below runs as it is: the changes are what is refused."""
    for i, sound in enumerate(sound_files):
        path = tmp_path / f"{i}.gguf"
        path.write_bytes(sound.build())
        if sound.infos:
            with LLM(path, n_threads=1, n_ctx=64, options=FEW) as llm:
                use(llm)
        else:
            with open_gguf(path) as file:
                assert "error" not in {finding.level for finding in check_text(file)}


@pytest.mark.usefixtures("bounded")
def test_damaged_files(sound_files: list[Sound], tmp_path: Path) -> None:
    counts = try_files(range(3000), sound_files, tmp_path)
    # Every stage is reached often, so that none of them goes untested.
    assert min(counts[stage] for stage in ("refused", "opened", "vocabulary", "ran")) > 60, counts


@pytest.mark.fuzz
@pytest.mark.usefixtures("bounded")
def test_many_damaged_files(sound_files: list[Sound], tmp_path: Path) -> None:
    try_files(range(3000, 103_000), sound_files, tmp_path)
