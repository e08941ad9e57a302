"""The words of tests/goldens/words.json, bit for bit, however and on whichever kernels they are computed.

Marked `words`, for `make test-words`, is everything; without the mark, a choice that takes half a minute.
Each scenario is held to the file, and so to what every other machine has computed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from goldens.words import SCENARIOS, TINY, Found, Model, differences, load_words, run
from helpers.cpu import runs_here

from rushlight.backends.cpu.target import TARGETS, detect_target
from rushlight.models import supported_architectures

MODELS = load_words()
TINY_NAMES = [name for name, model in MODELS.items() if model.is_tiny]
REAL_NAMES = [name for name in MODELS if name not in TINY_NAMES]
CHECK = Path(__file__).parent / "goldens" / "check_words.py"
QUICK = ("alone-1", "batch", "chunks-of-13", "cached", "preempted", "steps")
QUICK_REAL = {
    "smollm2": ("batch", ["greedy", "haiku", "chinese", "json-31", "json-33", "window"]),
    "gemma3-270m": ("chunks-of-256", ["greedy", "hindi", "one-token", "window"]),
}


def skip_without_kernels() -> None:
    if detect_target().target is None:
        pytest.skip("no kernels run on this processor")


def check(model: Model, scenario: str, names: list[str] | None = None) -> Found:
    skip_without_kernels()
    found = run(model, SCENARIOS[scenario], names)
    assert len(found.words) == len(names or model.requests)
    assert not (lines := differences(model, found)), "\n".join(lines)
    return found


@pytest.mark.parametrize("name", TINY_NAMES)
def test_tiny_models_write_these_words(name: str) -> None:
    found = {scenario: check(MODELS[name], scenario) for scenario in QUICK}
    assert found["cached"].n_cached >= 32
    assert found["preempted"].n_preempted > 0


def test_eight_threads_write_these_words() -> None:
    check(MODELS["llama-mix"], "alone-8")


@pytest.mark.parametrize("name", REAL_NAMES)
def test_real_models_write_these_words(name: str, real_model: None) -> None:
    scenario, names = QUICK_REAL[name]
    check(MODELS[name], scenario, names)


@pytest.mark.words
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", TINY_NAMES)
def test_every_scenario(name: str, scenario: str) -> None:
    check(MODELS[name], scenario)


@pytest.mark.words
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", REAL_NAMES)
def test_every_scenario_of_a_real_model(name: str, scenario: str, real_model: None) -> None:
    check(MODELS[name], scenario)


def other_targets() -> list[Any]:
    """The targets that this processor runs, but for the one that the tests above run."""
    one_only = pytest.mark.skip(reason="this processor runs one target only")
    return [t.name for t in TARGETS if runs_here(t)][1:] or [pytest.param("none", marks=one_only)]


@pytest.mark.parametrize("target", other_targets())
def test_other_targets_write_these_words(target: str) -> None:
    scenarios = ["--scenarios", "batch"]
    done = subprocess.run(
        [sys.executable, str(CHECK), "--models", *TINY_NAMES, *scenarios],
        env={**os.environ, "RUSHLIGHT_TARGET": target},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f", {target}\n" in done.stdout


@pytest.fixture
def real_model(name: str, request: pytest.FixtureRequest) -> None:
    """Skips the test where the model cannot be had."""
    request.getfixturevalue({"smollm2": "smollm2_path", "gemma3-270m": "gemma_path"}[name])


def test_the_file_speaks_of_these_files() -> None:
    assert {name.split("-")[0] for name in TINY_NAMES} <= set(supported_architectures())
    assert set(TINY_NAMES) == {path.stem for path in TINY.glob("*.gguf")}
    for model in (MODELS[name] for name in TINY_NAMES):
        assert hashlib.sha256(model.path.read_bytes()).hexdigest() == model.sha256, model.name
        seeds = [r.params["seed"] for r in model.requests if not r.all_logits]
        assert len(set(seeds)) == len(seeds)
        assert set(model.expected) == {r.name for r in model.requests}


def test_answers_vary() -> None:
    """Words that came out the same whatever was computed would prove nothing."""
    for model in MODELS.values():
        answers = {tuple(words.token_ids) for words in model.expected.values()}
        assert len(answers) >= 7, model.name
        assert len({i for answer in answers for i in answer}) >= 16, model.name
    digests = [words.logits for model in MODELS.values() for words in model.expected.values()]
    assert len(set(digests)) == len(digests)
