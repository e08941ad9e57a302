"""The chat page: messages, answers, branches, and what is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from browsing import Watched, ended, exchange, send, shown
from page_server import Gate, Scripted, Think
from running import RunningServer, eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_an_answer_is_shown_while_it_is_written(page: Page, scripted: Scripted) -> None:
    gate = Gate()
    scripted.answer("Hello **th", gate, "ere**.")
    page.fill("#input", "one")
    page.press("#input", "Shift+Enter")
    page.keyboard.type("two")
    page.press("#input", "Enter")
    page.wait_for_selector("text=Hello **th")
    assert shown(page)[0] == "one\ntwo"
    assert page.get_attribute("#send", "aria-label") == "Stop"
    gate.open()
    ended(page)
    assert shown(page)[1] == "Hello there."
    assert page.inner_text(".prose strong") == "there"
    assert page.input_value("#input") == ""
    asked = scripted.asked[0]
    assert asked["messages"] == [{"role": "user", "content": "one\ntwo"}]
    assert asked["stream"] is True
    assert asked["stream_options"] == {"include_usage": True}
    assert asked["model"] == "scripted"
    assert set(asked) == {"model", "messages", "stream", "stream_options"}


def test_tokens_and_speed_are_told(page: Page, scripted: Scripted) -> None:
    scripted.answer("Hello.")
    exchange(page, "Hi")
    counts = shown(page, ".counts span")
    assert counts[:2] == ["34 tokens", "56.8 tokens/s"]
    assert re.fullmatch(r"first after [\d.]+ m?s", counts[2])
    assert counts[3:] == ["prompt 1,200 (1,000 cached)", "seed 7"]
    assert page.inner_text("#context") == "1,234 of 4,096 tokens of context"


def test_stopping_keeps_what_was_written_and_leaves_the_server(page: Page, scripted: Scripted) -> None:
    steps = scripted.answer("Half an", Gate())
    send(page, "Hi")
    page.wait_for_selector("text=Half an")
    page.keyboard.press("Escape")
    ended(page)
    assert shown(page)[1] == "Half an\nStopped."
    eventually(lambda: steps in scripted.left)
    scripted.answer("Yes.")
    exchange(page, "Go on")
    assert [message["content"] for message in scripted.asked[1]["messages"]] == ["Hi", "Half an", "Go on"]


def test_a_conversation_survives_a_reload_even_while_it_is_answered(page: Page, scripted: Scripted) -> None:
    scripted.answer("First answer.")
    exchange(page, "First")
    scripted.answer("Second an", Gate())
    send(page, "Second")
    page.wait_for_selector("text=Second an")
    page.reload()
    page.wait_for_selector("text=Second an")
    assert shown(page) == [
        "First",
        "First answer.",
        "Second",
        "Second an\nNot finished: the page was closed, or another tab is still at it.",
    ]
    assert page.title() == "First · Rushlight"
    assert shown(page, ".conversation") == ["First"]


def test_answering_again_adds_a_version(page: Page, scripted: Scripted) -> None:
    scripted.answer("One.")
    scripted.answer("Two.")
    exchange(page, "Count")
    page.click("[aria-label='Answer again']")
    page.wait_for_selector("text=Two.")
    ended(page)
    assert shown(page, ".branches") == ["2/2"]
    assert scripted.asked[0]["messages"] == scripted.asked[1]["messages"]
    page.click("[aria-label='Earlier version']")
    assert shown(page) == ["Count", "One."]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Later version"
    page.wait_for_timeout(500)  # which version is shown is written behind the click
    page.reload()
    page.wait_for_selector("text=One.")
    assert shown(page, ".branches") == ["1/2"]
    page.click("[aria-label='Later version']")
    assert shown(page) == ["Count", "Two."]


def test_editing_begins_a_branch(page: Page, scripted: Scripted) -> None:
    for text in ("A.", "B.", "C."):
        scripted.answer(text)
    exchange(page, "a")
    exchange(page, "b")
    page.hover(".message.user >> nth=0")
    eventually(
        lambda: page.evaluate("getComputedStyle(document.querySelector('.user .tools')).opacity") == "1"
    )
    page.click("[aria-label='Edit and ask again'] >> nth=0")
    page.fill(".editor textarea", "c")
    page.press(".editor textarea", "Enter")
    page.wait_for_selector("text=C.")
    ended(page)
    assert shown(page) == ["c", "C."]
    assert scripted.asked[2]["messages"] == [{"role": "user", "content": "c"}]
    page.click("[aria-label='Earlier version']")
    assert shown(page) == ["a", "A.", "b", "B."]


def test_thinking_is_folded_and_not_sent_back(page: Page, scripted: Scripted) -> None:
    gate = Gate()
    scripted.answer(Think("It is *deep*."), gate, "Yes.")
    send(page, "Really?")
    page.wait_for_selector("summary:has-text('Thinking')")
    assert not page.is_visible("text=It is deep")
    gate.open()
    ended(page)
    assert re.match(r"Thought for [\d.]+ m?s", page.inner_text("summary"))
    page.click("summary")
    page.wait_for_selector("text=It is deep.")
    assert page.inner_text(".thinking .prose") == "It is deep."
    assert page.inner_text(".thinking em") == "deep"
    scripted.answer("Sure.")
    exchange(page, "Sure?")
    assert scripted.asked[1]["messages"][1] == {"role": "assistant", "content": "Yes."}


def test_settings_go_with_the_request(page: Page, scripted: Scripted) -> None:
    page.click("#settings")
    page.fill("#system", "Be brief.")
    values = {"temperature": "0.5", "top_p": "0.9", "top_k": "40", "min_p": "0.05"}
    values |= {"repeat_penalty": "1.1", "max_tokens": "64", "seed": "12"}
    for name, value in values.items():
        page.fill(f"#setting-{name}", value)
    page.fill("#setting-top_k", "4.5")
    page.click("#settings-save")
    assert page.inner_text("#settings-problem") == "Top k must be a whole number."
    page.fill("#setting-top_k", "40")
    page.check("#settings-keep")
    page.press("#setting-top_k", "Enter")
    scripted.answer("Yes.")
    exchange(page, "Hi")
    asked = scripted.asked[0]
    assert {name: asked[name] for name in values} == {name: float(value) for name, value in values.items()}
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    page.reload()
    page.wait_for_selector("text=Yes.")
    page.click("#new")
    page.click("#settings")
    assert page.input_value("#system") == "Be brief."
    assert page.input_value("#setting-seed") == "12"


def test_conversations_are_listed_searched_renamed_and_deleted(page: Page, scripted: Scripted) -> None:
    for text in ("About llamas", "About rushes"):
        scripted.answer("A **candle** of rush." if "rush" in text else "Wool.")
        page.click("#new")
        exchange(page, text)
    assert shown(page, ".conversation") == ["About rushes", "About llamas"]
    page.fill("#search", "CANDLE about")
    page.wait_for_selector("text=About llamas", state="detached")
    assert shown(page, ".conversation") == ["About rushes"]
    page.fill("#search", "nowhere")
    page.wait_for_selector("text=Nothing found.")
    page.fill("#search", "")
    page.click("text=About llamas")
    page.wait_for_selector("text=Wool.")
    page.click("[aria-label='More for About llamas']")
    page.click("text=Rename")
    page.fill(".rename", "Alpacas")
    page.press(".rename", "Enter")
    page.wait_for_selector(".conversation:has-text('Alpacas')")
    assert page.inner_text("#title") == "Alpacas"
    page.click("[aria-label='More for Alpacas']")
    page.click("role=menuitem[name=Delete]")
    page.wait_for_selector("#welcome:not([hidden])")
    assert shown(page, ".conversation") == ["About rushes"]
    page.click("text=Undo")
    page.click("text=Alpacas")
    page.wait_for_selector("text=Wool.")


def test_what_is_deleted_while_it_is_answered_stays_so(page: Page, scripted: Scripted) -> None:
    steps = scripted.answer("Half", Gate())
    send(page, "Hi")
    page.wait_for_selector("text=Half")
    page.click("[aria-label='More for Hi']")
    page.click("role=menuitem[name=Delete]")
    page.wait_for_selector("#welcome:visible")
    eventually(lambda: steps in scripted.left)
    page.reload()
    page.wait_for_selector(".nothing")
    assert page.locator(".conversation").count() == 0


def test_conversations_go_out_and_come_in_again(page: Page, scripted: Scripted, tmp_path: Path) -> None:
    scripted.answer("One.")
    scripted.answer(Think("Hm."), "Two.")
    exchange(page, "Count")
    page.click("[aria-label='Answer again']")
    page.wait_for_selector("text=Two.")
    ended(page)
    with page.expect_download() as download:
        page.click("#export")
    path = tmp_path / "conversations.json"
    download.value.save_as(path)
    page.click("[aria-label='More for Count']")
    page.click("role=menuitem[name=Delete]")
    page.wait_for_selector("#welcome:not([hidden])")
    page.set_input_files("#import-file", path)
    page.click(".conversation:has-text('Count')")
    page.wait_for_selector("text=Two.")
    assert shown(page, ".branches") == ["2/2"]
    assert shown(page, ".counts span")[0] == "34 tokens"
    page.click("[aria-label='Earlier version']")
    assert shown(page) == ["Count", "One."]
    alien = {"format": "rushlight-conversations", "conversations": [{"messages": [{"role": "x"}]}]}
    for text in ("{", "[]", json.dumps(alien)):
        path.write_text(text)
        page.set_input_files("#import-file", path)
        page.wait_for_selector("#toast:has-text('file')")
        page.evaluate("document.querySelector('#toast').hidden = true")
    assert shown(page, ".conversation") == ["Count"]


def test_two_conversations_are_answered_at_once(page: Page, scripted: Scripted) -> None:
    first, second = Gate(), Gate()
    scripted.answer("First", first, " done.")
    scripted.answer("Second", second, " done.")
    send(page, "one")
    page.wait_for_selector("text=First")
    page.click("#new")
    send(page, "two")
    page.wait_for_selector("text=Second")
    assert page.locator(".conversation .icon-flame").count() == 2
    first.open()
    page.wait_for_selector(".conversation:has-text('one'):not(:has(.icon-flame))")
    page.click("text=one")
    page.wait_for_selector("text=First done.")
    page.click("text=two")
    second.open()
    page.wait_for_selector("text=Second done.")
    assert shown(page) == ["two", "Second done."]


def test_another_tab_shows_what_happens_here(watched: Watched, scripted: Scripted) -> None:
    scripted.answer("One.")
    exchange(watched.page, "Count")
    other = watched.open(f"#{watched.page.url.partition('#')[2]}")
    other.wait_for_selector("text=One.")
    watched.page.bring_to_front()
    scripted.answer("Two.")
    exchange(watched.page, "Again")
    other.wait_for_selector("text=Two.")
    watched.page.click("[aria-label='More for Count']")
    watched.page.click("role=menuitem[name=Delete]")
    other.wait_for_selector("#welcome:not([hidden])")


def test_a_real_model_says_here_what_it_says_elsewhere(chromium: Browser, smollm2: RunningServer) -> None:
    watched = Watched(chromium, f"{smollm2.url}/")
    page = watched.page
    page.click("#settings")
    page.fill("#setting-temperature", "0")
    page.fill("#setting-max_tokens", "24")
    page.click("#settings-save")
    exchange(page, "Write a haiku about ice hockey")
    messages = [{"role": "user", "content": "Write a haiku about ice hockey"}]
    body = {"model": "smollm2", "messages": messages, "temperature": 0, "max_tokens": 24}
    answer = smollm2.post("/v1/chat/completions", body).json()
    said = page.evaluate("document.querySelector('.message.assistant .prose:not(.thinking *)').textContent")
    assert said.split() == answer["choices"][0]["message"]["content"].split()
    assert shown(page, ".note") == ["The answer ended at the limit of tokens."]
    assert shown(page, ".counts span")[0] == "24 tokens"
    page.click("#settings")
    page.fill("#setting-max_tokens", "")
    page.click("#settings-save")
    send(page, "Tell me a very long story")
    eventually(lambda: smollm2.sequences() == 1)
    page.keyboard.press("Escape")
    eventually(lambda: smollm2.sequences() == 0)
    ended(page)
    watched.close()
