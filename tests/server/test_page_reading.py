"""The chat page for eyes, hands and ears: colours, widths, scrolling, keys, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import PHONE, Watched, ended, exchange, send, shown
from page_server import Gate, Scripted, Think

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG = "\n\n".join(f"Paragraph {i}." for i in range(60))
TABLE = f"|{' a |' * 30}\n|{'---|' * 30}\n|{' cell |' * 30}\n"
WIDE = f"{'wide' * 60}\n\n```python\n{'x = 1; ' * 60}\n```\n\n{TABLE}"
LIGHTNESS = """(selector) => {
  const canvas = document.createElement("canvas").getContext("2d");
  const lightness = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const channels = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
  };
  const opaque = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return /, 0\\)$|transparent/.test(colour) ? opaque(node.parentElement) : colour;
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map((node) =>
    [lightness(getComputedStyle(node).color), lightness(opaque(node)), node.className || node.localName]);
}"""
READ = """#title, #model, .said, .prose p, .prose a, .prose th, code span, .code-language, .counts span, .day,
  .nothing, .conversation, .new-button, .idea, #welcome-model, .composer-foot span, summary, .note,
  .text-button, blockquote"""


def contrast(first: float, second: float) -> float:
    """As WCAG defines it, of two relative luminances."""
    high, low = max(first, second), min(first, second)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(chromium: Browser, scripted: Scripted, scheme: str) -> None:
    watched = Watched(chromium, scripted.url, color_scheme=scheme)
    page = watched.page
    colours = page.evaluate(LIGHTNESS, READ)
    code = '```python\n# comment\n@x\ndef f(a: int = 1) -> None:\n    return "text" or True\n```'
    scripted.answer(
        Think("Hm."), f"Text, [link](https://example.com).\n\n> quote\n\n|a|\n|-|\n|b|\n\n{code}", Gate()
    )
    send(page, "Hi")
    page.wait_for_selector(".hljs-string")
    page.keyboard.press("Escape")
    ended(page)
    colours += page.evaluate(LIGHTNESS, READ)
    assert len(colours) > 30
    faint = {name: round(contrast(a, b), 2) for a, b, name in colours if contrast(a, b) < 4.5}
    assert faint == {}
    ground = page.evaluate(LIGHTNESS, "html")[0][1]
    assert ground > 0.8 if scheme == "light" else ground < 0.05
    watched.close()


def test_colours_can_be_switched_and_stay_so(page: Page) -> None:
    lightness = [page.evaluate(LIGHTNESS, "html")[0][1]]
    for _ in range(2):
        page.click("#theme")
        lightness.append(page.evaluate(LIGHTNESS, "html")[0][1])
    assert lightness[0] == lightness[1] > 0.8
    assert lightness[2] < 0.05
    page.reload()
    page.wait_for_selector("#theme[aria-label='Colours: dark']")
    assert page.evaluate(LIGHTNESS, "html")[0][1] == lightness[2]


def test_a_phone_shows_everything_without_scrolling_sideways(chromium: Browser, scripted: Scripted) -> None:
    watched = Watched(chromium, scripted.url, **PHONE)
    page = watched.page
    scripted.answer(Think(WIDE), WIDE)
    exchange(page, "w" * 200)
    page.tap("summary")
    page.tap("#sidebar-toggle")
    page.wait_for_selector("#sidebar:visible")
    assert page.evaluate("document.querySelector('#page').inert") is True
    page.tap("text=New conversation")
    page.tap("#sidebar-close")
    page.wait_for_selector("#sidebar", state="hidden")
    page.tap("#settings")
    outside = page.evaluate(
        """[...document.querySelectorAll("body *")]
             .filter((node) => node.checkVisibility())
             .filter((node) => !node.closest("pre, .table, .off-screen, .skip, svg"))
             .filter((node) => {
               const box = node.getBoundingClientRect();
               return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
             }).map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [360, 360]
    watched.close()


def test_the_end_is_followed_until_the_reader_scrolls_up(page: Page, scripted: Scripted) -> None:
    first, second, third = Gate(), Gate(), Gate()
    scripted.answer(LONG, first, "\n\nMore.\n\n" + LONG, second, "\n\nYet more.", third, "\n\nEnd.")
    send(page, "Hi")
    page.wait_for_selector("text=Paragraph 59.")
    assert below(page) < 5
    page.hover("#scroller")
    page.mouse.wheel(0, -300)
    page.wait_for_selector("#to-end:visible")
    top = page.evaluate("document.querySelector('#scroller').scrollTop")
    first.open()
    page.wait_for_selector("text=More.")
    assert page.evaluate("document.querySelector('#scroller').scrollTop") == top
    page.click("#to-end")
    second.open()
    page.wait_for_selector("text=Yet more.")
    assert below(page) < 5
    page.evaluate("document.querySelector('#scroller').scrollTop -= 20")
    page.wait_for_selector("#to-end:visible")
    third.open()
    ended(page)
    assert below(page) > 5


def below(page: Page) -> float:
    """How much of the conversation is below the edge, once a frame has been drawn."""
    found: float = page.evaluate(
        """new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
             const { scrollHeight, scrollTop, clientHeight } = document.querySelector("#scroller");
             done(scrollHeight - scrollTop - clientHeight);
           })))"""
    )
    return found


def test_everything_can_be_done_with_keys(page: Page, scripted: Scripted) -> None:
    focused = "document.activeElement.id"
    assert page.evaluate(focused) == "input"
    page.keyboard.press("ArrowUp")
    assert page.locator(".editor").count() == 0
    for text in ("One.", "Two.", "Three."):
        scripted.answer(text)
    exchange(page, "count")
    page.keyboard.press("ArrowUp")
    page.keyboard.type(" on")
    page.keyboard.press("Escape")
    assert page.locator(".editor").count() == 0
    page.click("#input")
    page.keyboard.press("ArrowUp")
    page.keyboard.type(" on")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Two.")
    ended(page)
    assert shown(page) == ["count on", "Two."]
    assert page.evaluate(focused) == "input"
    page.keyboard.press("Control+Shift+E")
    page.wait_for_selector("text=Three.")
    ended(page)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate(focused) == "input"
    assert page.input_value("#input") == ""
    page.keyboard.type("a/b?")
    assert page.input_value("#input") == "a/b?"
    page.keyboard.press("Control+KeyK")
    assert page.evaluate(focused) == "search"
    page.keyboard.press("Control+Comma")
    page.wait_for_selector("#settings-dialog[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+O")
    page.wait_for_selector("#welcome:visible")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.uncheck("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert not page.is_visible("#shortcuts-dialog")


def test_every_control_has_a_name_and_answers_are_announced(page: Page, scripted: Scripted) -> None:
    scripted.answer(Think("Hm."), "Hello.\n\n```python\nx\n```")
    scripted.answer("Again.")
    exchange(page, "Hi")
    page.wait_for_selector("#announcements:has-text('The answer: Hello.')", state="attached")
    page.click("[aria-label='Answer again']")
    page.wait_for_selector("text=Again.")
    ended(page)
    page.click("#settings")
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, textarea, select, summary, a[href], dialog, pre")]
             .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))
             .filter((node) => !node.getAttribute("aria-labelledby")).map((node) => node.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("h1").count() == 1
    assert page.get_attribute("html", "lang") == "en"


def test_a_word_being_composed_is_not_sent(page: Page, scripted: Scripted) -> None:
    page.fill("#input", "にほん")
    page.evaluate(
        """document.querySelector("#input").dispatchEvent(new KeyboardEvent("keydown",
             { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
    )
    assert page.input_value("#input") == "にほん"
    assert scripted.asked == []


def test_a_draft_waits_for_its_conversation(page: Page, scripted: Scripted) -> None:
    scripted.answer("One.")
    exchange(page, "first")
    page.fill("#input", "half a thought")
    page.click("#new")
    assert page.input_value("#input") == ""
    page.click(".conversation")
    page.wait_for_selector("text=One.")
    assert page.input_value("#input") == "half a thought"
    page.reload()
    page.wait_for_selector("text=One.")
    assert page.input_value("#input") == "half a thought"
