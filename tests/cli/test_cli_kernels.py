"""``rushlight kernels``: archives for other machines, and what is on this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rushlight.backends.cpu import archive, inventory
from rushlight.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def few_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two of them, in empty places."""
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(archive, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(inventory, "KERNELS", {name: inventory.KERNELS[name] for name in ("add", "outputs")})
    return tmp_path


def test_archives_for_another_system_are_built_and_listed(few_kernels: Path, capsys: Captured) -> None:
    folder = few_kernels / "shipped"
    arguments = ["--target", "aarch64-dotprod", "--format", "all", "--output", str(folder)]
    assert main(["kernels", "build", *arguments]) == 0
    assert {path.name for path in folder.iterdir()} == {"aarch64-dotprod.elf.a", "aarch64-dotprod.coff.a"}
    assert "aarch64-dotprod.elf.a" in capsys.readouterr().out
    assert main(["kernels", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(r["target"], r["format"], r["n_kernels"], r["current"]) for r in rows] == [
        ("aarch64-dotprod", "elf", 2, True),
        ("aarch64-dotprod", "coff", 2, True),
    ]
    assert main(["kernels", "list"]) == 0
    assert "2 kernels" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    assert "0 in the cache, 0 shipped" in capsys.readouterr().out


def test_an_empty_machine(capsys: Captured) -> None:
    assert main(["kernels", "list"]) == 0
    assert "compiled when a model first needs them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "pentium"], "no kernel target 'pentium'; choose one of x86-64-v4-vnni"),
        (["--target", "apple-m1", "--format", "elf"], "its formats are macho"),
    ],
)
def test_what_cannot_be_built(arguments: list[str], message: str, capsys: Captured) -> None:
    assert main(["kernels", "build", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["compile"], ["build", "--format", "exe"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert main(["kernels", *arguments]) == 2
