"""Servers on free ports of the loopback address, one for each model, kept for the whole run; a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Watched, chromium_browser
from page_server import Scripted, scripting
from running import TINY, RunningServer, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


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


@pytest.fixture(scope="module")  # playwright keeps an event loop running in this thread
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[Scripted]:
    """A server that answers as it is told."""
    with scripting() as scripted:
        yield scripted


@pytest.fixture
def scripted(scripted_server: Scripted) -> Scripted:
    """The same, with nothing told yet."""
    scripted_server.reset()
    return scripted_server


@pytest.fixture(scope="module")
def watching(chromium: Browser, scripted_server: Scripted) -> Iterator[Watched]:
    """The page of that server, for one test after the other."""
    watched = Watched(chromium, scripted_server.url)
    yield watched
    watched.context.close()


@pytest.fixture
def watched(watching: Watched, scripted: Scripted) -> Iterator[Watched]:
    """The same, in a browser that remembers nothing."""
    watching.forget()
    yield watching
    watching.check()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page itself."""
    return watched.page
