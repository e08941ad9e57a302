"""The chat page in a headless Chromium, watched: what it must never do is an error of every test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser")
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
READY = "#model:visible:not(:empty), #model-choice:visible, #key-dialog[open], #notice:visible"
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`))"""


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """Debian's Chromium. Tests are skipped where it, or the package that drives it, is not installed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("chromium is not installed")
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*root, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Watched:
    """A page, and what it did wrong.

    Attributes:
        page: of playwright.
        wrongs: violations of its content security policy, errors of its scripts, requests to elsewhere.
    """

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        self._url = url
        self.wrongs: list[str] = []
        self.context = browser.new_context(
            viewport=context.pop("viewport", {"width": 1200, "height": 800}), **context
        )
        self.context.add_init_script(TELL_VIOLATIONS)
        self.context.on("console", self._heard)
        self.context.on("weberror", lambda error: self.wrongs.append(str(error.error)))
        self.context.on("request", lambda request: self._asked(request.url))
        self.context.set_default_timeout(20_000)
        self.page = self.open()

    def open(self, path: str = "") -> Page:
        """The page in another tab."""
        page = self.context.new_page()
        self.visit(page, path)
        return page

    def forget(self) -> None:
        """Be as new: tabs, what is kept, permissions; a new context would take three times as long."""
        for page in self.context.pages:
            page.evaluate("sessionStorage.clear()")
            page.goto("about:blank")
            if page != self.page:
                page.close()
        self.context.clear_permissions()
        session = self.context.new_cdp_session(self.page)
        kept = {"origin": self._url.rstrip("/"), "storageTypes": "indexeddb,local_storage"}
        session.send("Storage.clearDataForOrigin", kept)
        session.detach()
        self.wrongs.clear()
        self.visit(self.page)

    def visit(self, page: Page, path: str = "") -> None:
        """Go to the page, and wait until it knows the server."""
        page.goto(self._url + path)
        page.wait_for_selector(READY)

    def close(self) -> None:
        """Close it; nothing may have been wrong."""
        self.context.close()
        self.check()

    def check(self) -> None:
        """Nothing may have been wrong."""
        if self.wrongs:
            raise AssertionError("\n".join(self.wrongs))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrongs.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self._url, "data:", "blob:")):
            self.wrongs.append(f"asked for {url}")


def send(page: Page, text: str) -> None:
    """Write a message and send it with Enter."""
    page.fill("#input", text)
    page.press("#input", "Enter")


def ended(page: Page) -> None:
    """Wait until nothing is being written."""
    page.wait_for_selector(".is-last .message-foot:not(:empty)")
    page.wait_for_selector(".is-running", state="detached")


def exchange(page: Page, text: str) -> None:
    """Send a message and wait for the end of the answer."""
    send(page, text)
    ended(page)


def shown(page: Page, selector: str = ".message .body") -> list[str]:
    """The texts of elements, as they are seen."""
    return [re.sub(r"\n+", "\n", text).strip() for text in page.locator(selector).all_inner_texts()]
