"""The chat page when something goes wrong: it says what, keeps what was written, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import Watched, ended, exchange, send, shown
from page_server import MODEL, Cut, Gate, Refuse, Scripted
from running import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page


def failed(page: Page) -> str:
    """Wait for a failure; what it says."""
    page.wait_for_selector(".failure")
    return page.inner_text(".failure strong")


def test_a_busy_server_is_asked_again_after_the_time_it_names(page: Page, scripted: Scripted) -> None:
    scripted.answer(Refuse(429, "The server is full.", "queue_full", {"Retry-After": "2"}))
    scripted.answer("There was a place.")
    send(page, "Hi")
    page.wait_for_selector("text=/Trying again in [12] s/")
    page.wait_for_selector("text=There was a place.")
    assert scripted.asked[0] == scripted.asked[1]


def test_waiting_for_a_busy_server_can_be_stopped(page: Page, scripted: Scripted) -> None:
    scripted.answer(Refuse(429, "The server is full.", "queue_full", {"Retry-After": "30"}))
    send(page, "Hi")
    page.wait_for_selector("text=Trying again in 30 s")
    page.click("[aria-label=Stop]")
    ended(page)
    assert shown(page)[1] == "Stopped."


def test_a_full_context_is_told_with_its_numbers(page: Page, scripted: Scripted) -> None:
    message = "The prompt has 4208 tokens, but the context of 4096 must hold it and its answer."
    scripted.answer(Refuse(400, message, "context_length_exceeded"))
    send(page, "Hi")
    assert failed(page) == "This conversation no longer fits"
    assert message in page.inner_text(".failure p")


def test_a_failed_request_can_be_sent_again_and_leaves_no_version(page: Page, scripted: Scripted) -> None:
    scripted.answer(Refuse(500, "The server failed; its log tells more."))
    send(page, "Hi")
    assert failed(page) == "The server failed"
    assert page.inner_text(".failure p") == "The server failed; its log tells more."
    scripted.answer("Now it works.")
    page.click("role=button[name='Try again']")
    page.wait_for_selector("text=Now it works.")
    ended(page)
    assert page.locator(".branches, .failure").count() == 0


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("timeout", "The server took too long"),
        ("server_stopped", "The server was stopped"),
        (None, "The server failed"),
    ],
)
def test_an_error_in_the_middle_keeps_what_was_written(
    page: Page, scripted: Scripted, code: str | None, title: str
) -> None:
    scripted.answer("Half", Refuse(0, "These are the server's words.", code))
    send(page, "Hi")
    assert failed(page) == title
    assert page.inner_text(".failure p") == "These are the server's words."
    assert shown(page, ".message .prose") == ["", "Half"]


def test_a_lost_connection_keeps_what_was_written(page: Page, scripted: Scripted) -> None:
    gate = Gate()
    scripted.answer("Half an ans", gate, Cut())
    send(page, "Hi")
    page.wait_for_selector("text=Half an ans")
    gate.open()
    assert failed(page) == "The connection was lost"
    page.reload()
    page.wait_for_selector("text=Half an ans")
    assert failed(page) == "The connection was lost"
    scripted.answer("Whole.")
    page.click("role=button[name='Try again']")
    page.wait_for_selector("text=Whole.")
    ended(page)
    assert shown(page, ".branches") == ["2/2"]


def test_a_server_that_is_gone_is_waited_for(watched: Watched, scripted: Scripted) -> None:
    page = watched.page
    page.route("**/v1/chat/completions", lambda route: route.abort())
    page.route("**/health", lambda route: route.abort())
    send(page, "Hi")
    assert failed(page) == "The server does not answer"
    page.wait_for_selector("#notice:visible")
    page.unroute_all()
    scripted.answer("Back.")
    page.click("role=button[name='Try again']")
    page.wait_for_selector("text=Back.")
    page.wait_for_selector("#notice", state="hidden")


def test_a_key_is_asked_for_and_kept_in_the_tab(page: Page, scripted: Scripted) -> None:
    scripted.key = "sesame"
    page.reload()
    page.fill("#key", "wrong")
    page.press("#key", "Enter")
    page.wait_for_selector("text=The API key is wrong.")
    page.fill("#key", "sesame")
    page.click("#key-save")
    page.wait_for_selector("#model:has-text('scripted')")
    scripted.answer("Open.")
    exchange(page, "Hi")
    assert shown(page)[1] == "Open."
    page.reload()
    page.wait_for_selector("text=Open.")
    assert not page.is_visible("#key-dialog")
    assert page.evaluate("Object.values(localStorage).join().includes('sesame')") is False
    scripted.key = "another"
    send(page, "Again")
    page.wait_for_selector("#key-dialog[open]")
    page.fill("#key", "another")
    scripted.answer("Open again.")
    page.press("#key", "Enter")
    page.wait_for_selector("text=Open again.")


def test_one_of_several_models_can_be_chosen(page: Page, scripted: Scripted) -> None:
    scripted.models = [MODEL, {**MODEL, "id": "other"}]
    page.reload()
    page.select_option("#model-choice", "other")
    scripted.answer("Yes.")
    exchange(page, "Hi")
    assert scripted.asked[0]["model"] == "other"
    page.reload()
    page.wait_for_selector("#model-choice:visible")
    assert page.input_value("#model-choice") == "other"


def test_what_a_page_must_not_do_is_noticed(watched: Watched) -> None:
    """The watching itself: each of these is an error of whichever test does it."""
    deeds = {
        "document.createElement('img').src = 'http://127.0.0.1:9/'": "img",
        "document.body.innerHTML = 'x'": "trusted",
        "document.body.setAttribute('style', 'color: red')": "style",
        "setTimeout(() => { throw new Error('oops') })": "oops",
    }
    for deed, word in deeds.items():
        watched.page.evaluate(f"try {{ {deed} }} catch {{}}")
        eventually(lambda: watched.page.evaluate("1") and bool(watched.wrongs))
        assert word in "\n".join(watched.wrongs).lower()
        watched.page.reload()
        watched.page.wait_for_selector("#model:visible:not(:empty)")
        watched.wrongs.clear()
