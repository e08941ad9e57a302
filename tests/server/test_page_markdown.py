"""What the chat page makes of a model's words: Markdown, and nothing that acts."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from browsing import exchange
from markdown_texts import DOCUMENTS, FORMULAS, HOSTILE
from page_server import Scripted

if TYPE_CHECKING:
    from playwright.sync_api import Page

ALLOWED = {
    *(
        "a",
        "article",
        "blockquote",
        "br",
        "button",
        "code",
        "del",
        "details",
        "div",
        "em",
        "h2",
        "h3",
        "h4",
        "h5",
    ),
    *(
        "h6",
        "hr",
        "img",
        "input",
        "li",
        "ol",
        "p",
        "pre",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "svg",
        "table",
    ),
    *("tbody", "td", "th", "thead", "tr", "ul", "use", "kbd", "mark", "u", "s", "b", "i"),
}
MATHML = {"math", "mrow", "mtext", "mi", "mo", "mn"}
STRUCTURE = """(root) => {
  const walk = (node) => {
    if (node.nodeType === 3) return node.data;
    const told = node.getAttribute("href") ?? node.getAttribute("start");
    return [node.localName, told, [...node.childNodes].map(walk)];
  };
  return [...root.children].map(walk);
}"""
GROW = f"""async ([text, cuts]) => {{
  const {{ GrowingMarkdown }} = await import("/web/js/growing.js");
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const structure = {STRUCTURE};
  const whole = document.createElement("div");
  const root = document.createElement("div");
  document.body.append(whole, root);
  new GrowingMarkdown(whole).show(text);
  const growing = new GrowingMarkdown(root);
  for (const cut of cuts) {{
    growing.showSoon(text.slice(0, cut));
    await frame();
  }}
  growing.show(text);
  while (document.querySelector("[data-waits]")) await frame();
  const found = [structure(root), structure(whole)];
  whole.remove();
  root.remove();
  return JSON.stringify(found);  // which may be nested deeper than the browser's own protocol allows
}}"""


def test_nothing_that_a_model_writes_acts(page: Page, scripted: Scripted) -> None:
    scripted.answer(*re.findall(r"[\s\S]{1,7}", HOSTILE))
    exchange(page, HOSTILE)
    found = page.evaluate(
        """[...document.querySelectorAll(".message *")].map((node) => [
             node.localName,
             Object.fromEntries([...node.attributes].map(({ name, value }) => [name, value])),
           ])"""
    )
    assert {name for name, _ in found} <= ALLOWED | MATHML
    attributes = {name for _, attributes in found for name in attributes}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "srcdoc", "action"}}
    links = [attributes for name, attributes in found if name == "a"]
    assert [link["href"] for link in links] == [
        "http://127.0.0.1:9/leak.png?q=secret",
        "https://example.com/?a=1&b=2",
    ]
    assert all(link["rel"] == "noopener noreferrer nofollow" and link["target"] == "_blank" for link in links)
    assert not [attributes for name, attributes in found if name == "img"]
    assert page.evaluate("window.hacked") is None
    answer = page.inner_text(".message.assistant .prose >> nth=1")
    assert '<script>window.hacked = 1</script>\n<img src=x onerror="window.hacked = 1">' in re.sub(
        "\n+", "\n", answer
    )


def test_pictures_come_from_the_answer_itself_only(page: Page, scripted: Scripted) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    scripted.answer(f"![dot](data:image/png;base64,{pixel}) ![far](https://example.com/x.png)")
    exchange(page, "Draw")
    assert page.locator(".prose img").count() == 1
    assert page.evaluate("document.querySelector('.prose img').naturalWidth") == 1
    assert page.inner_text(".prose a") == "Image: far"


@pytest.mark.parametrize("name", [*DOCUMENTS, "formulas"])
def test_what_grows_ends_as_if_shown_at_once(reader: Page, name: str) -> None:
    text = {**DOCUMENTS, "formulas": FORMULAS}[name]
    cuts = sorted(random.Random(name).sample(range(1, len(text)), 24))
    grown, whole = grow(reader, text, cuts)
    assert grown == whole
    assert grown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_markdown_means_what_another_parser_says(reader: Page, name: str) -> None:
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    text = DOCUMENTS[name].replace("- [ ]", "- ").replace("- [x]", "- ")
    _, whole = grow(reader, text, [])
    expected = Outline()
    expected.feed(parser.render(text))
    assert outline(whole).split() == expected.found.split()


def grow(reader: Page, text: str, cuts: list[int]) -> tuple[list[Any], list[Any]]:
    """The elements of a text that was shown up to each cut first, and of one that was shown at once."""
    grown, whole = json.loads(reader.evaluate(GROW, [text, cuts]))
    return grown, whole


def outline(nodes: list[Any]) -> str:
    """Names of elements and words in their order."""
    found = ""
    for node in nodes:
        if isinstance(node, str):
            found += node
        elif node[0] == "div" and node[2][0][0] == "div":  # the bar above code
            found += outline(node[2][1:])
        elif node[0] in {"div", "span"}:
            found += outline(node[2])
        else:
            name = {"h3": "h1", "h4": "h2", "del": "s"}.get(node[0], node[0])
            found += f" <{name}> {outline(node[2])} "
    return found


class Outline(HTMLParser):
    """The same of HTML."""

    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += f" <{tag}> "

    def handle_endtag(self, tag: str) -> None:
        self.found += " "

    def handle_data(self, data: str) -> None:
        self.found += data


@pytest.fixture(scope="module")
def reader(chromium: Any, scripted_server: Scripted) -> Page:
    """A page whose modules are asked directly."""
    page = chromium.new_page()
    page.goto(scripted_server.url)
    return page


def test_formulas_are_drawn_where_they_can_be_read(page: Page, scripted: Scripted) -> None:
    scripted.answer(FORMULAS)
    exchange(page, "Formulas")
    page.wait_for_selector(".prose math mfrac", state="attached")
    drawn = page.evaluate(
        "[...document.querySelectorAll('.math')].map((node) => Boolean(node.firstElementChild))"
    )
    assert drawn == [True] * 6 + [False] * 2 + [True] * 2
    assert page.evaluate("[...document.querySelectorAll('math[display=block]')].length") == 3
    assert page.locator(".prose mtd").count() >= 8
    answer = page.inner_text(".message.assistant .prose >> nth=1")
    assert "at $5 and $10, or $5-$10 or $x$:" in answer
    assert "unreadable $\\frac{$ and \\(\\nosuchcommand\\)" in answer


@pytest.mark.parametrize("unit", ["<b>", "> ", "1. ", "  - a\n", "\\[", "$a ", "**a* ", "[a](", "```\n"])
def test_what_goes_round_in_circles_is_shown(reader: Page, unit: str) -> None:
    text = unit * (4000 // len(unit))
    grown, whole = grow(reader, text, [1000, 2000])
    # How deep marked gets before the stack ends is the browser's business.
    assert grown
    assert whole


def test_settled_blocks_are_left_alone(reader: Page) -> None:
    kept = reader.evaluate(
        """async () => {
          const { GrowingMarkdown } = await import("/web/js/growing.js");
          const root = document.createElement("div");
          const growing = new GrowingMarkdown(root);
          const text = Array.from({ length: 50 }, (_, i) => `Paragraph ${i} *x*.\\n\\n`).join("");
          growing.show(text.slice(0, 400));
          const first = [...root.querySelectorAll("p")].slice(0, 10);
          let changes = 0;
          const observer = new MutationObserver((records) => { changes += records.length; });
          const everything = { subtree: true, childList: true, characterData: true, attributes: true };
          for (const node of first) observer.observe(node, everything);
          growing.show(text);
          changes += observer.takeRecords().length;
          return [changes, first.every((node, i) => root.children[i] === node), root.children.length];
        }"""
    )
    assert kept == [0, True, 50]


def test_code_is_coloured_copied_and_as_it_was_written(page: Page, scripted: Scripted) -> None:
    code = 'def f(x):\n    return f"<b>{x}</b> &amp; {1 < 2}"  # no </span>\n'
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    scripted.answer("```py\n", code, "```\n\n```nosuch\nplain\n```")
    exchange(page, "Code")
    page.wait_for_selector(".hljs-keyword")
    assert page.inner_text(".code-language >> nth=0") == "Python"
    assert page.inner_text(".code-language >> nth=1") == "nosuch"
    assert page.evaluate("document.querySelector('.code pre').textContent") == code.rstrip("\n")
    page.click("[aria-label='Copy code'] >> nth=0")
    assert page.evaluate("navigator.clipboard.readText()") == code.rstrip("\n")
    page.click("[aria-label='Copy message'] >> nth=1")
    assert page.evaluate("navigator.clipboard.readText()") == f"```py\n{code}```\n\n```nosuch\nplain\n```"
