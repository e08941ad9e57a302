"""Servers on free ports of the loopback address, one for each model, kept for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import TINY, RunningServer, serving


@pytest.fixture(scope="session")
def smollm2(smollm2_path: Path) -> Iterator[RunningServer]:
    """A real model, whose words mean something."""
    with serving(smollm2_path, n_ctx=1024, model_names=("smollm2", "gpt-4o-mini")) as server:
        yield server


@pytest.fixture(scope="session")
def tiny() -> Iterator[RunningServer]:
    """A random model of a few kilobytes, which never ends an answer by itself."""
    with serving(TINY / "llama-mix.gguf", n_ctx=8192, model_names=("tiny",)) as server:
        yield server
