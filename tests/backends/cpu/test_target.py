"""Which kernels a processor gets."""

from __future__ import annotations

import pytest

from rushlight.backends.cpu import target as module
from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.errors import InvalidParameter

AVX2 = {"avx2": True, "fma": True, "f16c": True}
AVX512 = dict.fromkeys(("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"), True)


@pytest.fixture(autouse=True)
def not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUSHLIGHT_TARGET", raising=False)


@pytest.mark.parametrize(
    ("machine", "features", "expected"),
    [
        ("x86_64", AVX2, "x86-64-v3"),
        ("AMD64", {**AVX2, "avxvnni": True}, "x86-64-v3-avxvnni"),
        ("x86_64", {**AVX2, **AVX512}, "x86-64-v4-vnni"),
        ("x86_64", {**AVX2, **AVX512, "avx512vl": False}, "x86-64-v3"),
        ("x86_64", {"avx2": True, "fma": True}, "none"),
        ("aarch64", {"dotprod": True}, "aarch64-dotprod"),
        ("arm64", {}, "none"),
        ("riscv64", {}, "none"),
    ],
)
def test_the_best_target_that_runs(
    monkeypatch: pytest.MonkeyPatch, machine: str, features: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setattr(module, "_host_features", lambda: features)
    found = detect_target()
    assert found.name == expected
    assert found.reason


def test_a_target_can_be_forced_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_machine", lambda: "x86_64")
    monkeypatch.setattr(module, "_host_features", lambda: {**AVX2, **AVX512})
    monkeypatch.setenv("RUSHLIGHT_TARGET", "x86-64-v3")
    assert detect_target().name == "x86-64-v3"
    monkeypatch.setenv("RUSHLIGHT_TARGET", "aarch64-dotprod")
    with pytest.raises(InvalidParameter, match=r"this processor .* runs: x86-64-v4-vnni, x86-64-v3"):
        detect_target()


def test_names_are_unique_and_the_order_is_best_first() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
    x86 = [target for target in TARGETS if target.machine == "x86_64"]
    assert all(set(x86[-1].needs) <= set(target.needs) for target in x86)
