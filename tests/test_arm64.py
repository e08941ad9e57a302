"""The words of tests/goldens/words.json on an emulated Arm processor: `make test-arm64`, some minutes.

Kernels are compiled here for the other machine and put into its cache; it has no compiler.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from goldens.words import TINY, load_words
from helpers.arm64 import Arm64
from helpers.debian import CROSS_COMPILE

from rushlight.backends.cpu.target import TARGETS

pytestmark = pytest.mark.arm64
ROOT = Path(__file__).parents[1]
CHECK = ROOT / "tests" / "goldens" / "check_words.py"
# Processors that have what a target needs, and as little more as qemu offers.
PROCESSORS = {"aarch64-dotprod": "neoverse-n1", "aarch64-i8mm": "max,sve=off,pauth=off"}
ARM_TARGETS = [target.name for target in TARGETS if target.name in PROCESSORS]
TINY_NAMES = [name for name, model in load_words().items() if (TINY / f"{name}.gguf").exists()]


@pytest.fixture(scope="module")
def arm64(smollm2_path: Path, gemma_path: Path) -> Arm64:
    """The system, with every kernel and the two real models in its cache."""
    system = Arm64(ROOT / "build" / "arm64")
    system.home.mkdir(exist_ok=True)
    script = system.home / "cross_compile.py"
    script.write_text(CROSS_COMPILE)
    for target in ARM_TARGETS:
        environment = {**os.environ, "RUSHLIGHT_HOME": str(system.home), "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, script, target], env=environment, check=True)
    store = next(parent for parent in smollm2_path.parents if parent.name == "pypi")
    if not (system.home / store.name).exists():
        (system.home / store.name).symlink_to(store)
    return system


def check(system: Arm64, target: str, *arguments: str) -> None:
    code, output = system.run([CHECK, *arguments], PROCESSORS[target], [ROOT])
    assert code == 0, output
    assert f", {target}\n" in output, output
    assert " answers equal, 0 different" in output


@pytest.mark.parametrize("target", ARM_TARGETS)
def test_tiny_models_write_these_words(arm64: Arm64, target: str) -> None:
    check(arm64, target, "--models", *TINY_NAMES, "--scenarios", "batch")


@pytest.mark.parametrize("target", ARM_TARGETS)
def test_however_they_are_run(arm64: Arm64, target: str) -> None:
    models = ["llama-mix", "gemma3-q4_k_m"]
    check(arm64, target, "--models", *models, "--scenarios", "alone-1", "chunks-of-13", "cached", "preempted")


@pytest.mark.parametrize("target", ARM_TARGETS)
def test_real_models_write_these_words(arm64: Arm64, target: str) -> None:
    requests = ["arabic", "json-33"]
    check(
        arm64, target, "--models", "smollm2", "gemma3-270m", "--scenarios", "batch", "--requests", *requests
    )


def test_other_words_are_noticed(arm64: Arm64) -> None:
    """A processor without the target's instructions runs no kernels, and the check says so."""
    code, output = arm64.run([CHECK, "--models", "llama-f32", "--scenarios", "alone-1"], "cortex-a72", [ROOT])
    assert code != 0
    assert "aarch64, none" in output
