"""Tools of models whose templates show none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import TINY

from rushlight.conversation import ConversationFormat
from rushlight.errors import InvalidParameter
from rushlight.text import ChatTemplate, load_tokenizer
from rushlight.text.tool_formats import TOOL_FORMATS
from rushlight.text.tool_stand_in import introduction, shows_tools

FOLDER = Path(__file__).parents[1] / "data" / "templates"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": "é"}'}}
USER = {"role": "user", "content": "Weather?"}
HISTORY: list[dict[str, Any]] = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
    {"role": "tool", "tool_call_id": "a", "content": "sun"},
    {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "rain"}]},
]


def conversation(template: str) -> ConversationFormat:
    form = ConversationFormat(load_tokenizer(TINY / "llama-mix.gguf"))
    source = (FOLDER / f"{template}.jinja").read_text("utf-8")
    form.__dict__["template"] = form.__dict__["tool_template"] = ChatTemplate(
        source, {"bos_token": "<s>", "eos_token": "</s>"}
    )
    return form


@pytest.mark.parametrize("name", ["smollm2", "gemma-2", "phi-3.5", "zephyr"])
def test_a_template_without_tools_is_helped_out(name: str) -> None:
    form = conversation(name)
    assert form.answer_format(TOOLS).tools is not None
    for system in ([], [{"role": "system", "content": "Be brief."}]):
        if name == "gemma-2" and system:
            continue  # which refuses such a message
        text = form.render([*system, USER], TOOLS, True, None)
        assert text.count(json.dumps(TOOLS[0]["function"])) == 1
        assert '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": VALUE}}\n</tool_call>' in text
        assert text.index("You may call") < text.index("Weather?") or name != "gemma-2"
    assert form.render([USER], None, True, None) == form.render([USER], [], True, None)
    history = form.render(HISTORY, TOOLS, True, None)
    assert history.count('<tool_call>\n{"name": "f", "arguments": {"x": "é"}}\n</tool_call>') == 2
    assert "<tool_response>\nsun\n</tool_response>\n<tool_response>\nrain\n</tool_response>" in history


def test_the_models_own_format_is_told_where_it_is_known() -> None:
    form = conversation("deepseek-v3.1")
    tools = form.answer_format(TOOLS).tools
    assert tools is not None
    assert tools.name == "deepseek"
    text = form.render([USER], TOOLS, True, None)
    assert '\u2581sep\uff5c>{"ARGUMENT": VALUE}<' in text


def test_templates_that_show_tools_are_left_alone() -> None:
    form = conversation("qwen3")
    assert "described by a JSON schema" not in form.render([USER], TOOLS, True, None)
    unknown = ConversationFormat(load_tokenizer(TINY / "llama-mix.gguf"))
    unknown.__dict__["template"] = unknown.__dict__["tool_template"] = ChatTemplate("{{ tools }}")
    with pytest.raises(InvalidParameter, match="no format that is known"):
        unknown.answer_format(TOOLS)
    assert unknown.answer_format(None).tools is None


def test_every_format_can_be_told() -> None:
    assert shows_tools("{% if tools %}")
    assert not shows_tools("{{ tools_of }} {{ xml_tools }}")
    for form in TOOL_FORMATS:
        text = introduction(TOOLS, form)
        assert "NAME" in text and "ARGUMENT" in text and "VALUE" in text
        assert form.begins[0] in text or form.starts
