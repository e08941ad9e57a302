"""How many processors are computed with: cores that this process may use, within its container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rushlight.backends import processors
from rushlight.backends.processors import usable_processors


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group tree without any limits, and a machine of 8 processors on 8 cores."""
    monkeypatch.setattr(processors, "_CGROUPS", tmp_path)
    monkeypatch.setattr(processors, "_CPUS", tmp_path / "cpus")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="ascii")


def test_this_machine_has_a_processor() -> None:
    assert 1 <= usable_processors() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("limit", "n"),
    [
        ("max 100000", 8),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
        ("nonsense", 8),
        ("0 0", 8),
    ],
)
def test_a_quota_of_version_2(groups: Path, limit: str, n: int) -> None:
    write(groups / "cpu.max", limit)
    assert usable_processors() == n


@pytest.mark.parametrize(("quota", "n"), [("-1", 8), ("300000", 3), ("20000", 1)])
def test_a_quota_of_version_1(groups: Path, quota: str, n: int) -> None:
    write(groups / "cpu" / "cpu.cfs_quota_us", quota)
    write(groups / "cpu" / "cpu.cfs_period_us", "100000")
    assert usable_processors() == n


def test_the_group_around_the_own_one_limits_it_too(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_own_groups", lambda: [groups / "a" / "b", groups / "a", groups])
    write(groups / "a" / "b" / "cpu.max", "max 100000")
    write(groups / "a" / "cpu.max", "400000 100000")
    assert usable_processors() == 4


def test_processors_that_share_a_core_count_once(groups: Path) -> None:
    for i in range(8):
        write(groups / "cpus" / f"cpu{i}" / "topology" / "thread_siblings_list", f"{i % 4},{i % 4 + 4}")
    assert usable_processors() == 4
