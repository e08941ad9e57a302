"""Tool calls that models write in other ways than their templates, and what is no call."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.wire_formats import FORMATS, calls_in, cuts, parts_of, tagged

from rushlight.text.answer_parts import AnswerParts


def m3(*tags: str) -> str:
    """A block of MiniMax M3."""
    return "".join(f"]<]minimax[>[{tag}" for tag in ("<tool_call>", *tags, "</tool_call>"))


@pytest.mark.parametrize(
    ("schema", "tags", "value"),
    [
        ({"type": "array"}, ["<s>", "</s>"], []),
        ({"type": "object"}, ["<s>", "</s>"], {}),
        ({"type": "string"}, ["<s>", "</s>"], ""),
        ({"type": "object"}, ["<s>", "<item>1", "</item>", "</s>"], {"item": 1}),
        ({"type": "array", "items": {"type": "string"}}, ["<s>", "<item>1", "</item>\n", "</s>"], ["1"]),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}},
            ["<s>", "<a>1", "</a>", "</s>"],
            {"a": "1"},
        ),
        ({}, ["<s>\n", "<a>", "<item>true", "</item>", "</a>", "</s>"], {"a": [True]}),
        ("x", ["<s>1", "</s>"], 1),
    ],
)
def test_elements_are_what_the_schema_says(schema: Any, tags: list[str], value: Any) -> None:
    block = m3('<invoke name="f">', *tags, "</invoke>\n")
    calls = FORMATS["minimax-m3"].calls(block, {"f": {"s": schema}})
    assert calls is not None and calls[0].arguments == {"s": value}


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("hermes", "<tool_call>\nnot json\n</tool_call>"),
        ("hermes", '<tool_call>{"name": "f", "arguments": [1]}</tool_call>'),
        ("hermes", '<tool_call>{"name": 3, "arguments": {}}</tool_call>'),
        ("hermes", '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>'),
        ("hermes", f"<tool_call>{'[' * 100_000}</tool_call>"),
        ("hermes", '<tool_call>{"name": "f", "arguments": {"a": 1'),
        ("qwen3-coder", "<tool_call>\n<function=f>\nhi\n</function>\n</tool_call>"),
        ("qwen3-coder", "<tool_call>\n<function=f>\n<parameter=a>\n1\n</tool_call>"),
        ("glm", "<tool_call>f\nhello\n</tool_call>"),
        ("llama-3", '{"name": "f", "value": 1}'),
        ("llama-3", '{"name": "f", "parameters": {"a": 1}} and more'),
        ("llama-3", "<|python_tag|>print(1)"),
        ("mistral", "[TOOL_CALLS] f and nothing"),
        ("mistral", '[TOOL_CALLS][{"name": "f"'),
        ("gemma-4", '<|tool_call>call:f{a:<|"|>b}<tool_call|>'),
        ("gemma-4", "<|tool_call>call:f{a:1 b:2}<tool_call|>"),
        ("gemma-4", f"<|tool_call>call:f{{a:{'[' * 100_000}<tool_call|>"),
        ("function-gemma", "<start_function_call>f{}<end_function_call>"),
        ("deepseek", "<\uff5ctool\u2581calls\u2581begin\uff5c>f{}<\uff5ctool\u2581calls\u2581end\uff5c>"),
        ("kimi-k2", "<|tool_calls_section_begin|>f<|tool_calls_section_end|>"),
        ("minimax-m2", '<minimax:tool_call>\n<invoke name="f">x</invoke>\n</minimax:tool_call>'),
        ("minimax-m3", m3('<invoke name="f">', "x")),
        ("minimax-m3", m3('<invoke name="f">', "<s>a", "</invoke>")),
        ("minimax-m3", m3('<invoke name="f">', "<s>a", "<t>", "</t>", "</s>", "</invoke>")),
        ("minimax-m3", m3('<invoke name="f">', "<s>", "</s>a", "</invoke>")),
        ("minimax-m3", m3('<invoke name="f">', *["<s>"] * 100_000)),
        ("minimax-m3", m3("<s>", "</s>")),
        ("minimax-m1", '<tool_calls>\n{"name": "f", "arguments": {}} and\n</tool_calls>'),
        ("hy3", "<tool_calls:opensource>f</tool_calls:opensource>"),
        (
            "hy3",
            "<tool_calls:opensource><tool_call:opensource>f<tool_sep:opensource>x</tool_call:opensource>",
        ),
        ("gigachat", "<|function_call|>f{}"),
        ("kimi-k3", "<|open|>tools<|sep|>f<|close|>tools<|sep|>"),
        (
            "kimi-k3",
            '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|><|open|>argument key="s" '
            'type="number"<|sep|>x<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        ),
        ("apertus", '<|tools_prefix|>[{"f": {}, "g": {}}]<|tools_suffix|>'),
        ("apertus", "<|tools_prefix|>[f]<|tools_suffix|>"),
        ("functionary", "<function=f>s</function>"),
        ("solar", "<|tool_calls|>f<|calls|>"),
        ("minicpm5", '<function name="f">s</function>'),
        ("minicpm5", '<function name="f"><param name="s">a</function>'),
        ("deepseek-v3.2", "<\uff5cDSML\uff5cfunction_calls>f</\uff5cDSML\uff5cfunction_calls>"),
        ("lfm2", "<|tool_call_start|>[f(1)]<|tool_call_end|>"),
        ("lfm2", "<|tool_call_start|>[f(a=open('x'))]<|tool_call_end|>"),
        ("lfm2", f"<|tool_call_start|>{'(' * 10_000}<|tool_call_end|>"),
        ("lfm2", "<|tool_call_start|>[f(a='b)]<|tool_call_end|>"),
        ("granite", '<|tool_call|>{"name": "f", "arguments": {}}'),
    ],
)
def test_what_is_malformed_stays_text_as_it_was_written(name: str, block: str) -> None:
    before = "" if name == "llama-3" else "See: \n\n"
    for pieces in ([before + block], [before, block[:9], block[9:]]):
        parts = parts_of(tagged(FORMATS[name]), pieces)
        assert parts._replace(tool_deltas=()) == AnswerParts(before + block)


@pytest.mark.parametrize(
    ("name", "block", "want"),
    [
        ("hermes", '<tool_call>{"name": "f", "arguments": "{\\"s\\": 1}"}</tool_call>', {"s": 1}),
        ("hermes", '<tool_call>\n{"name": "f", "arguments": {"s": "a"}}', {"s": "a"}),
        ("llama-3", '<|python_tag|>{"name": "f", "parameters": {"s": "};"}}', {"s": "};"}),
        ("llama-3", '{"type": "function", "name": "f", "parameters": {}}', {}),
        ("llama-3", '{\n  "name": "f",\n  "parameters": {"s": "1"}\n}\n', {"s": "1"}),
        ("mistral", '[TOOL_CALLS]f{"s": "a"}', {"s": "a"}),
        ("mistral", '[TOOL_CALLS] [{"name": "f", "arguments": {}}]', {}),
        ("function-gemma", "<start_function_call>call:f{s:<escape>a,}<escape>,n:1}<end_function_call>",
         {"s": "a,}", "n": 1}),
        ("gemma-4", '<|tool_call>call:f{<|"|>odd key<|"|>:[true,null,-1.5],s:word}<tool_call|>',
         {"odd key": [True, None, -1.5], "s": "word"}),
        ("deepseek",
         "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function"
         '<\uff5ctool\u2581sep\uff5c>f\n```json\n{"s": "```"}\n```<\uff5ctool\u2581call\u2581end\uff5c>'
         "<\uff5ctool\u2581calls\u2581end\uff5c>", {"s": "```"}),
        ("qwen3-coder", "<tool_call><function=f>\n<parameter=s>\n1\n2\n</parameter>\n</function></tool_call>",
         {"s": "1\n2"}),
        ("qwen3-coder", "<tool_call>\n<function=f>\n</function>\n</tool_call>", {}),
        ("granite", '<|tool_call|>[{"name": "f", "arguments": {"s": "a"}}]', {"s": "a"}),
        ("minicpm5", '<function name="f"><param name="s"><![CDATA[<a>\n</param>]]></param></function>',
         {"s": "<a>\n</param>"}),
        ("functionary", '<function=f>{"s": "</function>"}</function>', {"s": "</function>"}),
        ("phi-4", '<|tool_call|>[{"name": "f", "arguments": {}}]<|/tool_call|>', {}),
        ("cohere", '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "f"}]<|END_ACTION|>', {}),
        ("apriel", '<tool_calls>[{"name": "f", "arguments": {"s": "a"}}]</tool_calls>', {"s": "a"}),
        ("kimi-k3", '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|>'
         '<|open|>json type="object"<|sep|>{"s": "<|close|>"}<|close|>json<|sep|>'
         "<|close|>call<|sep|><|close|>tools<|sep|>", {"s": "<|close|>"}),
        ("kimi-k3", '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|>'
         '<|open|>argument key="a&quot;" type="null"<|sep|>null<|close|>argument<|sep|>'
         "<|close|>call<|sep|><|close|>tools<|sep|>", {'a"': None}),
        ("gigachat", '<|function_call|>{"name": "f", "arguments": {"s": "a"}}<|message_sep|>\n\n',
         {"s": "a"}),
        ("minimax-m1", '<tool_calls>{"name": "f", "arguments": {"s": "a"}}', {"s": "a"}),
        ("lfm2", r"<|tool_call_start|>[f(s='a\n\'b\\', t='\d\u00e9')]<|tool_call_end|>",
         {"s": "a\n'b\\", "t": "\\dé"}),
        ("lfm2", "<|tool_call_start|>[f(s='a', n=[1, {'b': true}])]<|tool_call_end|>",
         {"s": "a", "n": [1, {"b": True}]}),
    ],
)  # fmt: skip
def test_other_spellings(name: str, block: str, want: dict[str, Any]) -> None:
    for pieces in cuts(block):
        parts = parts_of(tagged(FORMATS[name]), pieces)
        assert (calls_in(parts), parts.text) == ([("f", want)], "")


def test_llama_3_may_call_several_tools() -> None:
    text = '{"name": "f", "parameters": {"s": "};"}}; {"name": "g", "parameters": {}}'
    assert calls_in(parts_of(tagged(FORMATS["llama-3"]), [text.replace('};"', '"')])) == [
        ("f", {"s": ""}),
        ("g", {}),
    ]


def test_a_json_answer_is_text_where_tools_are_offered() -> None:
    for text in ('{"answer": 42}', '{"nam', "{", '[{"name": "f", "parameters": {}}]'):
        for pieces in cuts(text):
            assert parts_of(tagged(FORMATS["llama-3"]), pieces) == AnswerParts(text)


def test_ids_are_the_models_own_or_made_of_the_call() -> None:
    own = parts_of(tagged(FORMATS["mistral"]), ['[TOOL_CALLS]f[CALL_ID]abc123xyz[ARGS]{"s": "a"}'])
    assert own.tool_calls[0]["id"] == "abc123xyz"
    two = '<tool_call>{"name": "f"}</tool_call>' * 2
    ids = [[call["id"] for call in parts_of(tagged(FORMATS["hermes"]), [two]).tool_calls] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len({*ids[0]}) == 2
    assert all(len(id) == 9 and id.isalnum() for id in ids[0])
