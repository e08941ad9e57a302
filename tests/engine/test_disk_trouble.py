"""What the cache on disk does about damage, strangers, a full disk and slow writers: no word changes."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from disk_engines import MIXED, N_CTX, PROMPT, Disk, flip
from fake_executor import (
    N_VOCAB,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    plain_generation,
    start,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.engine.disk import cache as cache_module
from rushlight.engine.disk import entry
from rushlight.engine.disk.space import Space

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
