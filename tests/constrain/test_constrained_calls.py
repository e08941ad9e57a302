"""Calls that are demanded: random answers, read by the format's own parser and checked by jsonschema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from helpers.tiny_vocabularies import CONTROL, bpe_metadata
from helpers.walks import random_answer

from rushlight.constrain import Constraint, ConstraintCompiler
from rushlight.constrain.answer_grammar import Calls, answer_grammar
from rushlight.errors import InvalidParameter
from rushlight.text import Tokenizer
from rushlight.text.answer_format import AnswerFormat
from rushlight.text.answer_parts import AnswerParts
from rushlight.text.kinds import tokenizer_from_metadata
from rushlight.text.reasoning import REASONING_TAGS, ReasoningTags
from rushlight.text.tool_formats import TOOL_FORMATS
from rushlight.text.tools import functions_of

HARMONY = AnswerFormat(is_harmony=True)
FORMS = {"harmony": HARMONY} | {each.name: AnswerFormat(tools=each) for each in TOOL_FORMATS}
# What a long random answer is led to, so that strings without quotes end.
ENDS: dict[str, tuple[str, ...]] = {
    "qwen3-coder": ("</parameter>",),
    "seed-oss": ("</parameter>",),
    "glm": ("</arg_value>",),
    "minimax-m2": ("</parameter>", "</minimax:tool_call>"),
    "minimax-m3": ("]<]minimax[>[",),
    "hy3": ("</arg_value:opensource>",),
    "kimi-k3": ("<|close|>argument<|sep|>",),
    "minicpm5": ("</param>",),
    "deepseek-v3.2": ("</\uff5cDSML\uff5cparameter>", "</\uff5cDSML\uff5cfunction_calls>"),
    "deepseek-v4": ("</\uff5cDSML\uff5cparameter>", "</\uff5cDSML\uff5ctool_calls>"),
    "gemma-4": ('<|"|>',),
    "function-gemma": ("<escape>",),
    "harmony": ("<|end|>",),
}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where"},
        "days": {"type": "integer"},
        "exact": {"type": "boolean"},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "counts": {"type": "array", "items": {"type": "integer"}},
        "where": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "named": {"type": "boolean"}},
            "required": ["x"],
            "additionalProperties": False,
        },
    },
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now"}},
]
FUNCTIONS = functions_of(TOOLS)
TAGS = next(tags for tags in REASONING_TAGS if tags.open == "<think>")


def tokenizer_of(marks: frozenset[str]) -> Tokenizer:
    """A vocabulary of bytes, two pairs, and some special tokens."""
    if "<|think|>" in marks:  # without these <|end|> would end an answer
        marks |= {"<|calls|>", "<|flush|>"}
    specials = {"<eos>": CONTROL} | dict.fromkeys(sorted(marks), CONTROL)
    metadata = bpe_metadata(["t o", '{ "'], specials, eos_token_id=258)
    return tokenizer_from_metadata({"general.architecture": "llama", **metadata})


class Model:
    """Answers of one form, in a vocabulary with or without the marks as tokens."""

    def __init__(self, form: AnswerFormat, special: bool) -> None:
        self.form = form
        self.tokenizer = tokenizer_of(form.tokens if special else frozenset())
        self.tokens = {self.tokenizer.token_text(id): id for id in self.tokenizer.special_ids}
        self.compiler = ConstraintCompiler(self.tokenizer)

    def answer(
        self,
        seed: int,
        wanted: Constraint | None,
        calls: Calls | None,
        prompt: str = "",
        ends: tuple[str, ...] = (),
    ) -> AnswerParts:
        grammar = answer_grammar(self.form, prompt, wanted, calls, self.tokens)
        matcher = self.compiler.matcher(grammar, "The constraint")
        text = random_answer(matcher, self.tokenizer, seed, self.form.tokens, ends)
        parser = self.form.parser(prompt, TOOLS)
        assert parser is not None
        pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
        parts = AnswerParts()
        for piece in pieces:
            parts = parts.and_then(parser.feed(piece))
        return parts.and_then(parser.flush())


def check_calls(parts: AnswerParts) -> None:
    for call, delta in zip(parts.tool_calls, parts.tool_deltas, strict=True):
        function = call["function"]
        jsonschema.validate(json.loads(function["arguments"]), FUNCTIONS[function["name"]])
        assert (delta.name, delta.arguments) == (function["name"], function["arguments"])


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_demanded_calls_are_calls_whatever_the_model_wants(name: str, special: bool) -> None:
    model = Model(FORMS[name], special)
    for seed in range(3):
        for parallel in (True, False):
            parts = model.answer(seed, None, Calls(FUNCTIONS, True, parallel), ends=ENDS.get(name, ()))
            assert parts.text == ""
            assert parts.tool_calls
            check_calls(parts)
            assert parallel or len(parts.tool_calls) == 1


@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("harmony", "gigachat")])
def test_several_calls_may_be_demanded(name: str) -> None:
    model = Model(FORMS[name], True)
    calls = Calls({"now": FUNCTIONS["now"]}, True, True)
    assert max(len(model.answer(seed, None, calls).tool_calls) for seed in range(12)) > 1


def test_a_named_function_is_the_only_one() -> None:
    model = Model(FORMS["hermes"], True)
    for seed in range(8):
        parts = model.answer(seed, None, Calls({"now": FUNCTIONS["now"]}, True, False))
        assert [call["function"]["name"] for call in parts.tool_calls] == ["now"]


@pytest.mark.parametrize("name", ["hermes", "llama-3", "mistral", "harmony", "qwen3-coder", "lfm2"])
def test_with_a_format_an_answer_is_calls_or_matches(name: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "boolean"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    model = Model(FORMS[name], True)
    found = set()
    for seed in range(40):
        if len(found) == 2 and seed > 6:
            break
        wanted, calls = Constraint("json_schema", schema), Calls(FUNCTIONS, False, True)
        parts = model.answer(seed, wanted, calls, ends=ENDS.get(name, ()))
        found.add(bool(parts.tool_calls))
        if parts.tool_calls:
            assert parts.text == ""
            check_calls(parts)
        else:
            jsonschema.validate(json.loads(parts.text), schema)
    assert found == {True, False}


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("tags", REASONING_TAGS, ids=lambda tags: tags.open)
def test_the_constraint_begins_after_the_thinking(tags: ReasoningTags, special: bool) -> None:
    model = Model(AnswerFormat(tags), special)
    wanted = Constraint("json_schema", {"type": "array", "items": {"type": "integer"}, "maxItems": 2})
    thought = 0
    for seed in range(6):
        thought_of = f"say\n{tags.open}{tags.close}{tags.then}" if tags.said else f"say{tags.close}\n\n"
        for prompt in ("", f"say\n{tags.open}\n", thought_of):
            parts = model.answer(seed, wanted, None, prompt, ends=(tags.close,))
            jsonschema.validate(json.loads(parts.text), wanted.value)
            assert not (parts.reasoning and prompt == thought_of)
            thought += bool(parts.reasoning)
    assert thought >= 5


def test_thinking_and_calls_and_a_grammar() -> None:
    model = Model(AnswerFormat(TAGS, FORMS["hermes"].tools), True)
    wanted = Constraint("grammar", 'start: "yes" | "no" TAIL\nTAIL: /[a-c]{0,3}/')
    found = set()
    for seed in range(12):
        parts = model.answer(seed, wanted, Calls(FUNCTIONS, False, True), "<think>", ends=("</think>",))
        assert parts.reasoning.strip() or not parts.reasoning
        assert bool(parts.tool_calls) != parts.text.startswith(("yes", "no"))
        found.add(bool(parts.tool_calls))
    assert found == {True, False}


def test_harmony_holds_the_final_channel() -> None:
    model = Model(HARMONY, True)
    wanted = Constraint("regex", "[0-9]{2,4}")
    for seed in range(6):
        assert model.answer(seed, wanted, None, ends=("<|end|>",)).text.isdigit()


@pytest.mark.parametrize(
    ("name", "argument", "word"),
    [
        ("qwen3-coder", {"type": "string", "minLength": 2}, "minLength"),
        ("glm", {"type": "string", "format": "date"}, "format"),
        ("gemma-4", {"type": "string", "pattern": "a"}, "pattern"),
        ("gemma-4", {"type": ["string", "null"]}, "argument s"),
        ("hermes", {"type": "string", "unknown": 1}, "unknown"),
        ("hermes", {"not": {}}, "'not'"),
    ],
)
def test_what_a_format_cannot_hold_is_named(name: str, argument: dict[str, Any], word: str) -> None:
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"s": argument}}}
    calls = Calls(functions_of([tool]), True, True)
    with pytest.raises(InvalidParameter, match=word):
        answer_grammar(FORMS[name], "", None, calls)


def test_schemas_of_tools() -> None:
    nullable = {"type": "object", "properties": {"s": {"type": "string", "nullable": True}}}
    closed = functions_of([{"name": "f", "parameters": nullable}])["f"]
    assert closed["properties"]["s"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert closed["additionalProperties"] is False
    named = {"type": "object", "properties": {"nullable": {"type": "boolean"}}}
    assert functions_of([{"name": "f", "parameters": named}])["f"]["properties"] == named["properties"]
    for wrong in (
        [{"type": "web_search"}],
        [{"name": ""}],
        [{"name": "f"}, {"name": "f"}],
        [{"name": "f", "parameters": 3}],
    ):
        with pytest.raises(InvalidParameter):
            functions_of(wrong)
