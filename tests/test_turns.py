"""Conversations on windowed and hybrid models: they are found again, and memory stays in bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY
from helpers.random_models import metadata_of, tensors_of, write_model
from helpers.recurrent_models import RECURRENT_MODELS

from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.backends.base import Float32Array
from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.backends.cpu.executor import CpuExecutor
from rushlight.engine.kv_blocks import most_blocks
from rushlight.engine.scheduler import Chunk
from rushlight.gguf import GGMLType

N_CTX, N_BATCH = 512, 48
IDS = np.random.default_rng(6).integers(0, 300, N_CTX).tolist()
HYBRID = {model.name: model for model in RECURRENT_MODELS}
MODELS = ["gemma3-q4_k_m", "lfm2-swa", "qwen35", "mamba2"]
KV_BYTES = 8 << 20


def file_of(name: str, folder: Path) -> Path:
    """A windowed model that is there, or a hybrid one that is written."""
    if name not in HYBRID:
        return TINY / f"{name}.gguf"
    write_model(folder / "model.gguf", metadata_of(HYBRID[name]), tensors_of(HYBRID[name]), GGMLType.Q8_0)
    return folder / "model.gguf"


@pytest.mark.parametrize("name", MODELS)
def test_the_next_turn_computes_what_is_new(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = EngineOptions(n_sequences=2, n_batch_tokens=N_BATCH, kv_bytes=KV_BYTES)
    params = SamplingParams(temperature=0, max_tokens=40, ignore_eos=True)
    alone = EngineOptions(n_sequences=1, n_batch_tokens=N_BATCH, prefix_cache=False)
    file = file_of(name, tmp_path)
    with LLM(file, n_ctx=N_CTX, options=options) as llm, LLM(file, n_ctx=N_CTX, options=alone) as fresh:
        groups = llm.model.cache.groups
        assert any(group.window or group.recurrent for group in groups)
        conversation = IDS[:200]
        used: list[list[int]] = []
        run = llm._engine._runner.run

        def watched(chunks: list[Chunk]) -> Float32Array:
            used.append([block.used for block in llm.stats().blocks])
            return run(chunks)

        monkeypatch.setattr(llm._engine._runner, "run", watched)
        n_computed = 0
        for turn in range(3):
            used.clear()
            n_cached = llm.generate(conversation, params).usage.cached_tokens
            n_known = len(conversation) - 30 - 1 if turn else 0  # the last token of an answer is not computed
            assert n_cached == n_known // BLOCK_TOKENS * BLOCK_TOKENS, "to the last block of the last answer"
            before, n_computed = n_computed, llm.stats().computed_tokens
            assert n_computed - before == len(conversation) - n_cached + 39
            for group, n_most in zip(groups, np.max(used, 0), strict=True):
                bound = most_blocks(len(conversation) + 40, group.window, N_BATCH)
                assert 0 < n_most <= (1 if group.recurrent else bound)
                assert not group.window or bound <= 4
            answer = fresh.generate(conversation, params).token_ids
            conversation = [*conversation, *answer, *IDS[200 + 30 * turn : 230 + 30 * turn]]
        stats = llm.stats()
        assert [block.used for block in stats.blocks] == [0] * len(groups)
        assert all(block.kept for block in stats.blocks)


@pytest.mark.parametrize("name", MODELS)
def test_the_cache_takes_no_more_memory_than_it_may(name: str, tmp_path: Path) -> None:
    options = EngineOptions(kv_bytes=KV_BYTES)
    with LLM(file_of(name, tmp_path), n_ctx=N_CTX, options=options) as llm:
        executor = llm._engine._executor
        if not isinstance(executor, CpuExecutor):
            pytest.skip("the cpu backend does not run here")
        taken = sum(len(region.bytes) for region in executor.binding.cache._regions.values())
        accounted = [
            llm.model.cache.block_bytes(g, 2) * block.total for g, block in enumerate(llm.stats().blocks)
        ]
        assert 0 < taken <= sum(accounted) <= KV_BYTES
