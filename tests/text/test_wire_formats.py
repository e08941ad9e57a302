"""Tool calls and thinking, read back from what the models' own templates write.

The text of a call is written by transformers from the model's template, as what the model was trained on was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers.utils.chat_template_utils as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.text.answer_format import AnswerFormat, answer_format_of
from rushlight.text.answer_parts import AnswerParser, AnswerParts, CallMaker
from rushlight.text.harmony import HARMONY_TOKENS, HarmonyAnswer
from rushlight.text.reasoning import REASONING_TAGS
from rushlight.text.tagged_answer import TaggedAnswer
from rushlight.text.tool_formats import TOOL_FORMATS, ToolFormat

FOLDER = Path(__file__).parents[1] / "data" / "templates"
TEMPLATES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.jinja"))}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
FORMATS = {each.name: each for each in TOOL_FORMATS}
TAGS = {each.open: each for each in REASONING_TAGS}

# Which format each template speaks; those that are not here speak none.
SPOKEN = {
    "apertus": "apertus",
    "deepseek-v3.1": "deepseek",
    "deepseek-v3.2": "deepseek-v3.2",
    "deepseek-v4": "deepseek-v4",
    "functionary-3.1": "functionary",
    "gemma-4": "gemma-4",
    "gigachat-3.1": "gigachat",
    "glm-4.6": "glm",
    "granite-4.0": "hermes",
    "hermes-2-pro-tools": "hermes",
    "hy3": "hy3",
    "kimi-k2": "kimi-k2",
    "kimi-k3": "kimi-k3",
    "lfm2.5": "lfm2",
    "llama-3.1": "llama-3",
    "llama-3.2": "llama-3",
    "minicpm5": "minicpm5",
    "minimax-m1": "minimax-m1",
    "minimax-m2": "minimax-m2",
    "minimax-m3": "minimax-m3",
    "ministral-3-reasoning": "mistral",
    "mistral-nemo": "mistral-json",
    "mistral-small-3.2": "mistral",
    "nemotron-nano-2": "nemotron",
    "qwen2.5": "hermes",
    "qwen3": "hermes",
    "qwen3-coder": "qwen3-coder",
    "qwen3.5": "qwen3-coder",
    "seed-oss": "seed-oss",
    "solar-open": "solar",
}
# These write no call that could be read back: they leave out arguments, or calls altogether.
UNWRITTEN = {"deepseek-r1": "deepseek-r1", "granite-3.3": "granite"}
SINGLE = {"llama-3.1", "llama-3.2", "gpt-oss", "gigachat-3.1"}
TURN_ENDS = (
    "<|im_end|>",
    "</s>",
    "<|eot_id|>",
    "[e~[",
    "<seed:eos>",
    "<SPECIAL_12>",
    "<|end_of_text|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<|observation|>",
    "<turn|>",
    "<|tool_response>",
    "<|call|>",
    "<|eom_id|>",
    "<|message_sep|>",
    "<end_of_sentence>",
    "<\uff5chy_eos:opensource\uff5c>",
    "<|close|>message<|sep|>",
)
PROPERTIES = {
    "city": {"type": "string", "description": "Where"},
    "days": {"type": "integer", "description": "How many"},
    "exact": {"type": "boolean", "description": "Whether"},
    "where": {"type": "object", "description": "More"},
    "names": {"type": "array", "items": {"type": "string"}, "description": "Who"},
}
PARAMETERS = {"type": "object", "properties": PROPERTIES, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Tell", "parameters": PARAMETERS}}
    for name in ("get_weather", "other")
]
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "get_weather",
        {
            "city": 'Zü"rich, {x} }; [y] <z> \\ 👍',
            "days": 3,
            "exact": True,
            "where": {"a": [1, 2.5, None], "b": {}, "c": "}"},
            "names": ["a", "b, c"],
        },
    ),
    ("other", {"city": "12"}),
]
# MiniMax M3 writes nothing for null and for what is empty, and no schema says what that was.
READ_BACK = {
    "minimax-m3": [("get_weather", {**ARGUMENTS[0][1], "where": {"a": [1, 2.5, ""], "b": "", "c": "}"}})]
}
USER = [{"role": "user", "content": "Weather?"}]


def render(source: str, messages: list[dict[str, Any]], prompt: bool) -> str:
    return oracle.render_jinja_template(
        [messages], TOOLS, chat_template=source, add_generation_prompt=prompt, **SPECIAL
    )[0][0]


def written_calls(name: str, n: int) -> str:
    """The calls as the template writes them, without what ends the turn."""
    source, form = TEMPLATES[name], FORMATS.get(SPOKEN.get(name, ""))
    calls = [
        {"id": f"abcdef12{i}", "type": "function", "function": {"name": called, "arguments": arguments}}
        for i, (called, arguments) in enumerate(ARGUMENTS[:n])
    ]
    text = render(source, [*USER, {"role": "assistant", "content": "", "tool_calls": calls}], False)
    said = text[len(render(source, USER, False)) :]
    begins = ("<|start|>assistant",) if form is None else (*form.begins, *form.starts)
    begin = min(place for mark in begins if (place := said.find(mark)) >= 0)
    said = said[begin:] if form is not None else said[begin + len(begins[0]) :]
    return said[: min([len(said), *(place for end in TURN_ENDS if (place := said.find(end)) >= 0)])]


def parser_of(name: str, tools: list[Any] | None = TOOLS) -> AnswerParser:
    source = TEMPLATES[name]
    parser = answer_format_of(source).parser(render(source, USER, True), tools)
    assert parser is not None
    return parser


def thinks(name: str) -> bool:
    tags = answer_format_of(TEMPLATES[name]).tags
    return tags is not None and render(TEMPLATES[name], USER, True).rstrip().endswith(tags.open)


def parts_of(parser: AnswerParser, pieces: list[str]) -> AnswerParts:
    parts = AnswerParts()
    for piece in pieces:
        parts = parts.and_then(parser.feed(piece))
    parts = parts.and_then(parser.flush())
    complete = {delta.id: (delta.name, delta.arguments) for delta in parts.tool_deltas}
    for call in parts.tool_calls:
        assert complete[call["id"]] == (call["function"]["name"], call["function"]["arguments"])
    assert [delta.index for delta in parts.tool_deltas] == list(range(len(parts.tool_deltas)))
    return parts


def cuts(text: str) -> Iterator[list[str]]:
    for size in (1, 3, 7, len(text) or 1):
        yield [text[i : i + size] for i in range(0, len(text), size)]


def wanted_calls(name: str) -> list[tuple[str, dict[str, Any]]]:
    own = READ_BACK.get(name, [])
    return [*own, *ARGUMENTS[len(own) :]]


def calls_in(parts: AnswerParts) -> list[tuple[str, dict[str, Any]]]:
    functions = [call["function"] for call in parts.tool_calls]
    return [(function["name"], json.loads(function["arguments"])) for function in functions]


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


def tagged(tools: ToolFormat | None, tags: str = "<think>", opened: bool = False) -> TaggedAnswer:
    return TaggedAnswer(TAGS[tags], opened, tools, {"f": {"s": {"type": "string"}}}, CallMaker(""))


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


def test_a_tag_that_closes_no_thinking_belongs_to_no_part() -> None:
    for pieces in cuts(" </think>\n Said.</think>"):
        assert parts_of(tagged(None), pieces) == AnswerParts("Said.</think>")


def test_thinking_that_is_not_closed_is_thinking() -> None:
    for pieces in cuts("I think </thin \n"):
        assert parts_of(tagged(None, opened=True), pieces) == AnswerParts(reasoning="I think </thin")
        assert parts_of(tagged(None), pieces) == AnswerParts("I think </thin \n")


def test_a_tag_in_the_middle_of_an_answer_is_text() -> None:
    for pieces in cuts("Write <think>a</think>."):
        assert parts_of(tagged(None), pieces) == AnswerParts("Write <think>a</think>.")


def test_marks_before_what_is_said_belong_to_no_part() -> None:
    for after in ("<|content|>Said: <|cont.<|end|>", "<|content|>Said: <|cont."):
        for pieces in cuts(f"<|think|>Hm.<|end|><|begin|>assistant{after}"):
            assert parts_of(parser_of("solar-open"), pieces) == AnswerParts("Said: <|cont.", "Hm.")
    for pieces in cuts("<|content|>Said.<|end|>"):
        assert parts_of(parser_of("solar-open"), pieces) == AnswerParts("Said.")


def test_text_comes_as_soon_as_it_is_certain() -> None:
    parser = tagged(FORMATS["hermes"])
    assert [parser.feed(piece).text for piece in ("Hello", " <tool", "s> and", " more")] == [
        "Hello",
        "",
        " <tools> and",
        " more",
    ]


def test_a_call_comes_as_soon_as_it_is_complete() -> None:
    parser = tagged(FORMATS["hermes"])
    assert not parser.feed('<tool_call>\n{"name": "f", "arguments": {}}\n</tool_cal').tool_calls
    assert len(parser.feed("l>").tool_calls) == 1


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


def harmony(*pieces: str, parses_calls: bool = True) -> AnswerParts:
    return parts_of(HarmonyAnswer(parses_calls, CallMaker("")), list(pieces))


ANALYSIS = "<|channel|>analysis<|message|>I must look.<|end|><|start|>assistant"
CALL = '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"s": "a"}'


def test_harmony_channels() -> None:
    said = "<|channel|>final<|message|>It is <b>."
    for pieces in cuts(ANALYSIS + said):
        assert harmony(*pieces) == AnswerParts("It is <b>.", "I must look.")
    for pieces in cuts(ANALYSIS + "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant" + CALL):
        parts = harmony(*pieces)
        assert (parts.text, parts.reasoning, calls_in(parts)) == (
            "I look.",
            "I must look.",
            [("f", {"s": "a"})],
        )
    assert harmony(ANALYSIS + ANALYSIS + said).reasoning == "I must look.\n\nI must look."


def test_harmony_that_is_malformed_is_text() -> None:
    for text in ("Hello <|x", "toast", ""):
        for pieces in cuts(text):
            assert harmony(*pieces) == AnswerParts(text)
    broken = CALL.replace('"a"}', "")
    assert harmony(broken)._replace(tool_deltas=()) == AnswerParts('{"s": ')
    assert harmony(CALL, parses_calls=False) == AnswerParts('{"s": "a"}')
    assert harmony("<|channel|>final" + "x" * 999).text == "<|channel|>final" + "x" * 999


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "<think>",
                "</think>",
                "\n",
                " ",
                "x",
                '{"name": "f", "parameters": {}}',
                "{",
                ";",
                "call:f{",
                "}",
            ),
            *(mark for each in TOOL_FORMATS for mark in (*each.begins, *each.ends, *each.tokens)),
            *("<function=f>", "</function>", "<parameter=s>", "</parameter>", "<arg_key>s</arg_key>", "f"),
            *HARMONY_TOKENS,
            *("analysis", "final", " to=functions.f", '{"name": "f", "arguments": {}}', "[", "]"),
        ]
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=600)
@given(pieces=PIECES, form=st.sampled_from([None, *TOOL_FORMATS]), opened=st.booleans())
def test_whatever_is_written_is_read_alike_in_any_pieces(
    pieces: list[str], form: ToolFormat | None, opened: bool
) -> None:
    text = "".join(pieces)
    for make in (
        lambda: tagged(form, opened=opened),
        lambda: HarmonyAnswer(opened, CallMaker("")),
    ):
        whole = parts_of(make(), [text])
        assert parts_of(make(), pieces) == whole
        assert parts_of(make(), list(text)) == whole


@settings(deadline=None)
@given(text=st.text(max_size=60), form=st.sampled_from(TOOL_FORMATS))
def test_text_without_marks_stays_as_it_is(text: str, form: ToolFormat) -> None:
    parser = AnswerFormat(tools=form).parser("", TOOLS)
    assert parser is not None
    assert parts_of(parser, list(text)) == AnswerParts(text)


def test_a_long_argument_takes_no_quadratic_time() -> None:
    parser = tagged(FORMATS["hermes"])
    pieces = ['<tool_call>{"name": "f", "arguments": {"s": "', *["word "] * 30_000, '"}}</tool_call>']
    assert len(parts_of(parser, pieces).tool_calls) == 1
