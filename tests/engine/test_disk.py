"""Blocks on disk: found again by another engine, never believed when damaged, never more than allowed."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fake_executor import (
    N_VOCAB,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    start,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.backends.cache import CacheLayout
from rushlight.engine.disk import DiskCache, entry, fetch, identity
from rushlight.engine.disk import cache as cache_module
from rushlight.engine.disk.fetch import BlockName
from rushlight.engine.disk.identity import Identity
from rushlight.engine.disk.space import Space
from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence

N_CTX = 640
PROMPT = np.random.default_rng(0).integers(0, N_VOCAB - 1, N_CTX).tolist()
FULL, MIXED = layout_of(0), layout_of(0, 70, "state")


class Disk:
    """A directory and a model's file, and engines that use them one after the other."""

    def __init__(self, folder: Path, layout: CacheLayout = FULL, n_bytes: int = 1 << 30) -> None:
        self.folder, self.layout, self.n_bytes = folder / "cache", layout, n_bytes
        self.model = folder / "model"
        self.model.write_bytes(b"weights")

    def cache(self, kv_dtype: str = "f16") -> DiskCache:
        cache = DiskCache(
            self.folder, self.n_bytes, Identity((self.model,), "fake", kv_dtype, N_CTX, self.layout)
        )
        deadline = time.monotonic() + 30
        while cache._folder is None and cache._writes and time.monotonic() < deadline:
            time.sleep(0.001)
        return cache

    def engine(self, **options: int) -> Engine:
        sizes = {"n_ctx": N_CTX, "n_tokens": 100, "n_blocks": 60, **options}
        return make_engine(self.layout, disk=self.cache(), **sizes)  # type: ignore[arg-type]

    def run(self, prompt: list[int], **options: int) -> tuple[Sequence, Engine]:
        """A sequence computed by an engine of its own."""
        engine = self.engine(**options)
        sequence = start(engine, prompt, max_tokens=3)
        finish(engine, 10**6)
        assert_all_blocks_are_back(engine)
        engine.close()
        assert sequence.generated == plain_generation(sequence, self.layout, N_CTX)
        return sequence, engine

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("blocks/*/*") if not path.name.endswith(".tmp"))


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


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b"GGUF" * 100),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_dropped_and_computed(tmp_path: Path, damage: str) -> None:
    disk = Disk(tmp_path, MIXED)
    disk.run(PROMPT[:400])
    whole = {path: path.read_bytes() for path in disk.files}
    for path in disk.files:
        DAMAGES[damage](path)
    assert disk.run(PROMPT[:400])[0].n_cached == 0
    assert disk.run(PROMPT[:400])[0].n_cached == 384, "what one look found damaged is written anew"
    assert sum(path.read_bytes() == whole[path] for path in disk.files) == 12 + 3 + 1


def test_a_damaged_block_in_the_middle_leaves_what_stands_before_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    cold, _ = disk.run(PROMPT[:400])
    flip(disk.folder / "blocks" / disk.files[0].parent.name / f"{cold.block_keys[5].hex()}-0")
    assert disk.run(PROMPT[:400])[0].n_cached == 160
    assert disk.run(PROMPT[:400])[0].n_cached == 384


def test_blocks_under_names_of_others_are_not_believed(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.run(PROMPT[:400])
    names = [path.name for path in disk.files]
    for path in disk.files:
        path.rename(path.with_suffix(".moved"))
    for name, path in zip([*names[1:], names[0]], sorted(disk.folder.glob("blocks/*/*.moved")), strict=True):
        path.rename(path.with_name(name))
    assert disk.run(PROMPT[:400])[0].n_cached == 0


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


def test_what_a_killed_process_left_half_written_goes_in_time(tmp_path: Path) -> None:
    folder = tmp_path / "namespace"
    folder.mkdir()
    fresh, abandoned = folder / "a.1.tmp", folder / "b.1.tmp"
    for path in (fresh, abandoned):
        path.write_bytes(b"half")
    old = time.time() - 1000
    os.utime(abandoned, (old, old))
    assert Space(tmp_path, 10**6).make_room(1)
    assert fresh.exists()
    assert not abandoned.exists()


@pytest.mark.parametrize("trouble", ["full", "no directory"])
def test_trouble_with_the_disk_is_told_once_and_changes_no_word(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(tmp_path)
    if trouble == "full":
        disk.run(PROMPT[:100])

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(cache_module, "write_entry", fail)
    else:
        disk.folder.write_bytes(b"a file")
    with caplog.at_level(logging.WARNING):
        sequence, _ = disk.run(PROMPT[:400])
    assert sequence.n_cached == (96 if trouble == "full" else 0), "what is there is still used"
    [record] = caplog.records
    assert record.getMessage().startswith(f"Nothing more is added to the prefix cache in {disk.folder}: ")
    assert record.name == "rushlight.engine"


def test_a_writer_that_cannot_follow_costs_blocks_and_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path)
    go_on = threading.Event()
    write = entry.write_entry

    def slow(path: Path, place: bytes, content: bytes) -> int:
        assert go_on.wait(30)
        return write(path, place, content)

    monkeypatch.setattr(cache_module, "write_entry", slow)
    monkeypatch.setattr(cache_module, "_MOST_PENDING_BYTES", 3 * 256)
    engine = disk.engine()
    start(engine, PROMPT[:400])
    finish(engine)
    assert engine._disk is not None
    assert engine._disk._n_pending == 3 * 256
    go_on.set()
    engine.close()
    assert len(disk.files) == 3
    assert engine._disk._n_pending == 0
    assert disk.run(PROMPT[:400])[0].n_cached == 96
    assert disk.run(PROMPT[:400])[0].n_cached >= 192, "what was left out is made up for"


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


STREAMS = np.random.default_rng(3).integers(0, N_VOCAB - 1, (2, 300)).tolist()


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_workload_restart_or_damage_changes_a_word(data: st.DataObject) -> None:
    layout = layout_of(*data.draw(st.sampled_from([(0,), (0, 40), (33,), ("state", 0), (0, 17, "state")])))
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder), layout, data.draw(st.sampled_from([1 << 30, 9000])))
        for _ in range(3):
            engine = disk.engine(n_blocks=data.draw(st.sampled_from([21, 40])))
            sequences = []
            for _ in range(data.draw(st.integers(1, 4))):
                stream = data.draw(st.sampled_from(STREAMS))
                prompt = [*stream[: data.draw(st.integers(1, 300))], data.draw(st.integers(0, 3))]
                sequences.append(start(engine, prompt, max_tokens=data.draw(st.integers(0, 5))))
                for _ in range(data.draw(st.integers(0, 6))):
                    engine.step()
            finish(engine, 10**6)
            assert_all_blocks_are_back(engine)
            engine.close()
            for sequence in sequences:
                assert sequence.generated == plain_generation(sequence, layout, N_CTX)
            for path in disk.files:
                if data.draw(st.integers(0, 9)) == 0:
                    DAMAGES[data.draw(st.sampled_from(sorted(DAMAGES)))](path)
