"""The same words, bit for bit, however a sequence is computed: on the cpu backend, tokens and logits.

Every scenario runs the same requests; the logits that each token was drawn from must be equal to the last bit
to those of the request computed alone, in one piece, by one thread, from an empty cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY
from helpers.random_models import RandomModel, metadata_of, tensors_of, write_model
from helpers.recurrent_models import RECURRENT_MODELS

from rushlight.backends import load_backend
from rushlight.backends.base import Backend, Float32Array
from rushlight.engine import generation
from rushlight.engine.disk import DiskCache
from rushlight.engine.disk.identity import Identity
from rushlight.engine.engine import Engine
from rushlight.engine.limits import limits_for
from rushlight.engine.stride import Stride
from rushlight.errors import BackendUnavailable
from rushlight.gguf import GGMLType, open_gguf
from rushlight.models import CausalModel, load_model
from rushlight.params import EngineOptions, SamplingParams
from rushlight.row_math import Argmax, RowMath
from rushlight.sampling import Sampled, sample

TINY_MODELS = [
    "gemma3-q4_k_m", "llama-mix", "llama-yarn-f32", "phi2-q4", "phi3-q4_k_m", "phi3-swa-f32", "qwen2-q5",
    "qwen3-half",
]  # fmt: skip
ALONE = EngineOptions(n_sequences=1, prefix_cache=False)


@dataclass
class Run:
    """What a scenario wrote: token ids and logits by request."""

    tokens: dict[int, list[int]] = field(default_factory=dict)
    logits: dict[tuple[int, int], Float32Array] = field(default_factory=dict)
    n_cached: list[int] = field(default_factory=list)


@dataclass
class Bench:
    """A model file, the context to load it for, and the requests that every scenario runs."""

    path: Path
    n_ctx: int
    prompts: list[list[int]]
    max_tokens: int
    patch: pytest.MonkeyPatch
    cache_dir: Path | None = None
    loaded: dict[int, tuple[Backend, CausalModel]] = field(default_factory=dict)

    def load(self, n_threads: int) -> tuple[Backend, CausalModel]:
        if n_threads not in self.loaded:
            try:
                backend = load_backend("cpu", n_threads)
            except BackendUnavailable as error:
                pytest.skip(str(error))
            with open_gguf(self.path) as file:
                self.loaded[n_threads] = backend, load_model(file, backend, self.n_ctx)
        return self.loaded[n_threads]

    def engine(self, options: EngineOptions, n_threads: int = 2) -> Engine:
        backend, model = self.load(n_threads)
        limits = limits_for(model.cache, self.n_ctx, "f16", options)
        executor = backend.executor(model, limits)
        disk = None
        if options.cache_dir is not None:
            identity = Identity((self.path,), "cpu", "f16", self.n_ctx, model.cache)
            disk = DiskCache(options.cache_dir, options.cache_bytes, identity)
        return Engine(
            executor,
            model.cache,
            limits,
            n_vocab=model.n_vocab,
            prefix_cache=options.prefix_cache,
            disk=disk,
        )

    def run(self, engine: Engine, *, together: bool, preempt_at: tuple[int, ...] = ()) -> Run:
        """All requests, at once or one after the other. A request is known by its seed."""
        run, n_steps = Run(), 0

        def spy(
            logits: Float32Array,
            params: SamplingParams,
            generated: list[int],
            seed: int,
            *rest: Argmax | RowMath,
        ) -> Sampled:
            run.logits[seed, len(generated)] = logits.copy()
            return sample(logits, params, generated, seed, *rest)

        self.patch.setattr(generation, "sample", spy)
        self.patch.setattr(Stride, "n_steps", lambda *_: 1)  # which leaves the logits of every token
        sequences = []
        for seed, prompt in enumerate(self.prompts):
            params = SamplingParams(seed=seed, max_tokens=self.max_tokens, temperature=0.9)
            sequences.append(engine.sequence(prompt, params))
            engine.submit(sequences[-1])
            while engine.has_work and (not together or prompt is self.prompts[-1]):
                engine.step()
                n_steps += 1
                running = engine._scheduler.running
                if running and n_steps in preempt_at:
                    engine._scheduler._preempt(running[-1])
        for sequence in sequences:
            assert sequence.error is None, sequence.error
            run.tokens[sequence.seed] = sequence.generated
        run.n_cached = [sequence.n_cached or 0 for sequence in sequences]
        return run


def assert_equal(got: Run, want: Run) -> None:
    assert got.tokens == want.tokens
    assert got.logits.keys() == want.logits.keys()
    for key, row in want.logits.items():
        difference = np.flatnonzero(row.view(np.uint32) != got.logits[key].view(np.uint32))
        assert not difference.size, f"request {key[0]}, token {key[1]}: logits {difference[:8]} differ"


def check(bench: Bench) -> None:
    want = bench.run(bench.engine(ALONE, n_threads=1), together=False)
    assert np.isfinite(np.array(list(want.logits.values()))).all()

    assert_equal(bench.run(bench.engine(ALONE), together=False), want)  # two threads
    n = len(bench.prompts)
    cached = bench.engine(EngineOptions(n_sequences=n))
    assert_equal(bench.run(cached, together=True), want)  # a batch
    again = bench.run(cached, together=True)
    assert max(again.n_cached) >= 32
    assert_equal(again, want)  # prefix hits
    chunked = EngineOptions(n_sequences=n, n_batch_tokens=max(n, 13), prefix_cache=False)
    assert_equal(bench.run(bench.engine(chunked), together=True), want)  # chunks
    preempted = bench.run(bench.engine(chunked), together=True, preempt_at=(5, 12, 20, 33))
    assert_equal(preempted, want)
    if bench.cache_dir is not None:
        check_on_disk(bench, want)


def check_on_disk(bench: Bench, want: Run) -> None:
    """With blocks on disk: none yet, all there, and every third one damaged."""
    assert bench.cache_dir is not None
    options = EngineOptions(n_sequences=len(bench.prompts), cache_dir=bench.cache_dir)
    n_cached = []
    for state in ("cold", "warm", "damaged", "mended"):
        if state == "damaged":
            for path in sorted(bench.cache_dir.glob("blocks/*/*"))[::3]:
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 16
                path.write_bytes(content)
        engine = bench.engine(options)
        run = bench.run(engine, together=state != "damaged")
        assert engine._disk is not None
        engine._disk.close()  # the team is shared, so the executor stays open
        assert_equal(run, want)
        n_cached.append(sum(run.n_cached))
    cold, warm, damaged, mended = n_cached
    assert cold <= damaged <= warm == mended
    assert warm >= 32 * 5


@pytest.mark.parametrize("name", TINY_MODELS)
def test_tiny_models_write_the_same_however_they_are_run(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ids = np.random.default_rng(7).integers(0, 320, (5, 160)).tolist()
    lengths = (95, 33, 1, 64, 93)
    prompts = [ids[i][:n] for i, n in enumerate(lengths)]
    check(Bench(TINY / f"{name}.gguf", 160, prompts, 9, monkeypatch, tmp_path / "cache"))


@pytest.mark.parametrize("model", RECURRENT_MODELS, ids=lambda model: model.name)
def test_recurrent_models_write_the_same_however_they_are_run(
    model: RandomModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_model(tmp_path / "model.gguf", metadata_of(model), tensors_of(model), GGMLType.Q8_0)
    ids = np.random.default_rng(10).integers(0, 320, (5, 160)).tolist()
    prompts = [ids[i][:n] for i, n in enumerate((95, 33, 1, 64, 93))]
    check(Bench(tmp_path / "model.gguf", 160, prompts, 9, monkeypatch, tmp_path / "cache"))


def test_smollm2_writes_the_same_however_it_is_run(
    smollm2_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.random.default_rng(8).integers(0, 49000, (4, 200)).tolist()
    prompts = [ids[i][:n] for i, n in enumerate((127, 30, 2, 124))]
    check(Bench(smollm2_path, 192, prompts, 8, monkeypatch))


def test_gemma_writes_the_same_beyond_its_window(gemma_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(9).integers(0, 262_000, (3, 640)).tolist()
    prompts = [ids[i][:n] for i, n in enumerate((540, 35, 220))]
    check(Bench(gemma_path, 640, prompts, 6, monkeypatch))
