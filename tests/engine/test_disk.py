"""Blocks on disk: found again by another engine, never believed when damaged, never more than allowed."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from disk_engines import FULL, MIXED, N_CTX, PROMPT, Disk, flip
from fake_executor import (
    assert_all_blocks_are_back,
    finish,
    layout_of,
    plain_generation,
    start,
)

from rushlight.backends.cache import CacheLayout
from rushlight.engine.disk import DiskCache, entry, fetch, identity
from rushlight.engine.disk import cache as cache_module
from rushlight.engine.disk.fetch import BlockName
from rushlight.engine.disk.identity import Identity


@pytest.mark.parametrize(
    ("layout", "n_files", "n_read"),
    [
        (layout_of(0), 12, 12),
        (layout_of(0, 70), 24, 12 + 3),  # the window of 70 begins in the third block from the end
        (layout_of("state"), 2, 1),  # a checkpoint behind 256 tokens, and one at the prompt's edge
        (MIXED, 26, 12 + 3 + 1),
    ],
)
def test_a_new_engine_finds_what_another_computed(
    tmp_path: Path, layout: CacheLayout, n_files: int, n_read: int
) -> None:
    disk = Disk(tmp_path, layout)
    cold, _ = disk.run(PROMPT[:400])
    assert (cold.n_cached, len(disk.files)) == (0, n_files)
    warm, engine = disk.run(PROMPT[:400])
    assert (warm.n_cached, warm.generated) == (384, cold.generated)
    stats = engine.stats()
    assert (stats.disk_blocks, stats.cached_tokens, stats.computed_tokens) == (n_read, 384, 400 - 384 + 2)
    longer, _ = disk.run([*PROMPT[:390], *PROMPT[:100]])
    assert longer.n_cached == 384
    if layout is not FULL:
        at_checkpoint, _ = disk.run([*PROMPT[:300], 3])
        assert at_checkpoint.n_cached == (256 if any(g.recurrent for g in layout.groups) else 288)


def test_an_answer_is_kept_once_it_is_part_of_a_prompt(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    engine = disk.engine()
    first = start(engine, PROMPT[:90], max_tokens=80)
    finish(engine)
    second = start(engine, [*first.token_ids, 1, 2, 3], max_tokens=5)
    finish(engine)
    engine.close()
    assert second.n_cached == 160
    again, _ = disk.run([*first.token_ids, 1, 2, 3])
    assert again.n_cached == 160


def test_another_model_type_or_context_finds_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    cold, _ = disk.run(PROMPT[:100])
    names: list[BlockName] = [(0, key) for key in cold.block_keys]

    def n_found(cache: DiskCache) -> int:
        with closing(cache):
            return sum(cache.has(name) for name in names)

    assert n_found(disk.cache()) == 3
    assert n_found(disk.cache("f32")) == 0
    for other in (("cpu", "f16", N_CTX, FULL), ("fake", "f16", 64, FULL), ("fake", "f16", N_CTX, MIXED)):
        cache = DiskCache(disk.folder, 10**9, Identity((disk.model,), *other))
        cache.close()
        assert n_found(cache) == 0
    times = disk.model.stat()
    disk.model.write_bytes(b"weighty")  # as long, and made to look as old
    os.utime(disk.model, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert n_found(disk.cache()) == 0
    disk.model.write_bytes(b"weights")
    assert n_found(disk.cache()) == 3


def test_a_file_is_read_once_to_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)
    known = disk.cache()
    known.close()

    def fail(*_: object) -> bytes:
        raise AssertionError("the model was read again")

    with monkeypatch.context() as patch:
        patch.setattr(identity, "_digest_of_file", fail)
        again = disk.cache()
        again.close()
    assert again._folder == known._folder
    [kept] = (disk.folder / "models").iterdir()
    flip(kept)
    repaired = disk.cache()
    repaired.close()
    assert repaired._folder == known._folder


def test_the_files_that_were_unused_longest_go_first(tmp_path: Path) -> None:
    size = entry.SEAL_BYTES + 32 * 8
    disk = Disk(tmp_path, n_bytes=20 * size)
    for i in range(3):
        disk.run([i, *PROMPT[:200]])  # six blocks each
    assert len(disk.files) == 18
    old = time.time() - 1000
    for path in disk.files:
        os.utime(path, (old, old))
    assert disk.run([1, *PROMPT[:200]])[0].n_cached == 192  # used now
    disk.run([7, *PROMPT[:300]])  # nine more
    assert sum(path.stat().st_size for path in disk.files) <= disk.n_bytes
    assert disk.run([1, *PROMPT[:200]])[0].n_cached == 192
    assert disk.run([7, *PROMPT[:300]])[0].n_cached == 288
    assert disk.run([0, *PROMPT[:200]])[0].n_cached == 0


def test_nothing_is_kept_that_can_never_fit(tmp_path: Path) -> None:
    disk = Disk(tmp_path, n_bytes=100)
    disk.run(PROMPT[:200])
    assert disk.files == []


def test_others_go_on_while_a_prompt_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)
    disk.run(PROMPT[:400])
    go_on = threading.Event()
    read = cache_module.read_entry

    def slow(path: Path, place: bytes) -> bytes | None:
        assert go_on.wait(30)
        return read(path, place)

    engine = disk.engine()
    talker = start(engine, [5, 6, 7], max_tokens=40)
    engine.step()
    monkeypatch.setattr(cache_module, "read_entry", slow)
    leaving, staying = start(engine, PROMPT[:400], max_tokens=5), start(engine, PROMPT[:400], max_tokens=5)
    for _ in range(20):
        engine.step()
    assert (talker.n_generated, leaving.n_computed, engine.stats().n_waiting) == (21, 0, 2)
    engine.abort(leaving)
    engine.step()
    go_on.set()
    finish(engine, 10**6)
    assert (staying.n_cached, engine.stats().disk_blocks) == (384, 12)
    for sequence in (talker, staying):
        assert sequence.generated == plain_generation(sequence, FULL, N_CTX)
    assert_all_blocks_are_back(engine)
    engine.close()


@pytest.mark.parametrize("layout", [FULL, MIXED])
def test_a_long_beginning_is_fetched_in_parts(
    tmp_path: Path, layout: CacheLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, layout)
    disk.run(PROMPT[:600])
    monkeypatch.setattr(fetch, "MOST_BYTES", 700)
    assert disk.run(PROMPT[:600])[0].n_cached == 576
    least = tuple(2 if g.recurrent else 20 for g in layout.groups)
    assert disk.run(PROMPT[:600], n_blocks=least)[0].n_cached == 576  # type: ignore[arg-type]
