"""Tool calls and thinking, read back from what the models' own templates write."""

from __future__ import annotations

import pytest
from helpers.wire_formats import (
    SINGLE,
    SPOKEN,
    TEMPLATES,
    TOOLS,
    UNWRITTEN,
    calls_in,
    cuts,
    parser_of,
    parts_of,
    thinks,
    wanted_calls,
    written_calls,
)

from rushlight.text.answer_format import answer_format_of
from rushlight.text.answer_parts import AnswerParts


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_format_is_known_by_the_template(name: str) -> None:
    form = answer_format_of(TEMPLATES[name])
    assert (form.tools.name if form.tools else None) == (SPOKEN | UNWRITTEN).get(name)
    assert form.is_harmony == (name == "gpt-oss")


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", [*SPOKEN, "gpt-oss"])
def test_calls_are_read_back(name: str, n: int) -> None:
    if n > 1 and name in SINGLE:
        return
    tags = answer_format_of(TEMPLATES[name]).tags
    before = f"Hm.\n{tags.close}\n\n" if tags is not None and thinks(name) else ""
    for pieces in cuts(before + written_calls(name, n)):
        parts = parts_of(parser_of(name), pieces)
        assert calls_in(parts) == wanted_calls(name)[:n]
        assert (parts.text, parts.reasoning) == ("", "Hm." if before else "")


@pytest.mark.parametrize("name", sorted(set(SPOKEN) - SINGLE))
def test_text_before_calls_is_kept_apart(name: str) -> None:
    tags = answer_format_of(TEMPLATES[name]).tags
    before = tags.close if tags is not None and thinks(name) else ""
    for pieces in cuts(f"{before}\n I look: <x>.\n\n{written_calls(name, 2)}\n"):
        parts = parts_of(parser_of(name), pieces)
        assert calls_in(parts) == wanted_calls(name)
        assert parts.text.strip() == "I look: <x>."
        assert not parts.text.endswith("\n")


@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_without_tools_calls_are_text(name: str) -> None:
    text = written_calls(name, 1)
    form = answer_format_of(TEMPLATES[name])._replace(tags=None)
    assert form.parser("", None) is None
    assert form.parser("", []) is None
    assert form.parser(text, TOOLS) is not None


@pytest.mark.parametrize("name", [name for name in TEMPLATES if answer_format_of(TEMPLATES[name]).tags])
def test_thinking_is_kept_apart(name: str) -> None:
    tags = answer_format_of(TEMPLATES[name]).tags
    assert tags is not None
    opened = "" if thinks(name) else f"\n{tags.open}"
    for pieces in cuts(f"{opened}\n I <think-> so.\n\n{tags.close}\n\n Said.\n<{tags.close}"):
        parts = parts_of(parser_of(name, None), pieces)
        said = "Said.\n<" if tags.said else f"Said.\n<{tags.close}"
        assert parts == AnswerParts(said, "I <think-> so.")


def test_marks_before_what_is_said_belong_to_no_part() -> None:
    for after in ("<|content|>Said: <|cont.<|end|>", "<|content|>Said: <|cont."):
        for pieces in cuts(f"<|think|>Hm.<|end|><|begin|>assistant{after}"):
            assert parts_of(parser_of("solar-open"), pieces) == AnswerParts("Said: <|cont.", "Hm.")
    for pieces in cuts("<|content|>Said.<|end|>"):
        assert parts_of(parser_of("solar-open"), pieces) == AnswerParts("Said.")
