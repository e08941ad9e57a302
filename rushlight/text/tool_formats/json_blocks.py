"""Tool calls as JSON between two marks: an object, or a list of objects.

Sources: the chat templates of the models (``tokenizer_config.json``), and
https://github.com/NousResearch/Hermes-Function-Calling for Hermes.
"""

from __future__ import annotations

from rushlight.text.tool_formats.base import Call, Schemas, ToolFormat, between, json_call, read_json


def _json_blocks(name: str, models: str, begin: str, end: str, *template: str) -> ToolFormat:
    def parse(block: str, schemas: Schemas) -> list[Call]:
        value = read_json(between(block, begin, end))
        return [json_call(each) for each in (value if isinstance(value, list) else [value])]

    return ToolFormat(name, models, template or (begin,), (begin,), (end,), parse)


HERMES = _json_blocks("hermes", "Hermes 2 and 3, Qwen 2.5, Qwen 3, Granite 4", "<tool_call>", "</tool_call>")
APRIEL = _json_blocks("apriel", "Apriel 1.5", "<tool_calls>", "</tool_calls>", "<tool_calls>[{")
NEMOTRON = _json_blocks("nemotron", "Nemotron Nano 2", "<TOOLCALL>", "</TOOLCALL>")
COHERE = _json_blocks("cohere", "Command R7B and A", "<|START_ACTION|>", "<|END_ACTION|>")
PHI4 = _json_blocks("phi-4", "Phi-4 mini", "<|tool_call|>", "<|/tool_call|>", "<|/tool_call|>")


def _granite(block: str, schemas: Schemas) -> list[Call]:
    value = read_json(block.removeprefix("<|tool_call|>"))
    return [json_call(each) for each in value] if isinstance(value, list) else []


GRANITE = ToolFormat(
    "granite", "Granite 3", ("<|tool_call|>",), begins=("<|tool_call|>",), ends=(), parse=_granite
)
