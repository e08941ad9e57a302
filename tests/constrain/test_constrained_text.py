"""Schemas, regular expressions and grammars in every kind of vocabulary, against other readers of them."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from typing import Any

import jsonschema
import pytest
from goldens.small_vocabularies import SMALL_VOCABULARIES
from helpers.batches import TINY
from helpers.tiny_vocabularies import CONTROL, NORMAL, bpe_metadata, spm_metadata
from helpers.walks import random_answer

from rushlight.constrain import Constraint, ConstraintCompiler, Matcher, constraint_of
from rushlight.constrain.answer_grammar import answer_grammar
from rushlight.constrain.json_schema import ANNOTATIONS, HELD, check_schema
from rushlight.errors import InvalidParameter, RushlightError
from rushlight.params import (
    MAX_GRAMMAR_CHARACTERS,
    MAX_REGEX_CHARACTERS,
    MAX_SCHEMA_CHARACTERS,
    SamplingParams,
)
from rushlight.text import Tokenizer, load_tokenizer
from rushlight.text.answer_format import AnswerFormat
from rushlight.text.kinds import tokenizer_from_metadata


def tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    return tokenizer_from_metadata({"general.architecture": "llama", **metadata})


def _unigram() -> dict[str, Any]:
    """SentencePiece Unigram, of all of ASCII."""
    tokens = [
        "<pad>",
        "</s>",
        "<unk>",
        "\u2581",
        *map(chr, range(0x21, 0x7F)),
        "\u2581the",
        'a"',
        "\u2581{",
        '":',
    ]
    types = [CONTROL, CONTROL, 2] + [NORMAL] * (len(tokens) - 3)
    return {
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-1.0] * len(tokens),
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.add_space_prefix": True,
    }


KINDS = {
    "bpe": bpe_metadata(["t o", '{ "', '" :', 'Ġ "', "1 2"], {"<eos>": CONTROL}, eos_token_id=261),
    "spm": spm_metadata(
        {"\u2581": -1, '{"': -2, '\u2581"': -2, "12": -2, "\u2581the": -3, "{": -3, "\n": -4}
    ),
    "unigram": _unigram(),
    "plamo2": SMALL_VOCABULARIES["plamo2"],
    "rwkv": SMALL_VOCABULARIES["rwkv"] | {"tokenizer.ggml.eos_token_id": 0},
    "hybriddna": SMALL_VOCABULARIES["hybriddna"],
}
ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string", "maxLength": 5}, "n": {"type": ["integer", "null"]}},
    "required": ["street"],
}
SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#/$defs/a"}},
     "required": ["a"], "additionalProperties": False, "$defs": {"a": ADDRESS}},
    {"type": "array", "minItems": 1, "maxItems": 4,
     "items": {"anyOf": [{"type": "number", "minimum": -1.5, "exclusiveMaximum": 9}, {"const": "x\ny"}]}},
    {"type": "array", "prefixItems": [{"type": "string", "pattern": "^[a-c]{2,3}$"}, {"type": "integer"}],
     "items": False, "minItems": 2},
    {"enum": ["one", 2, None, True, {"a": [1]}]},
    {"oneOf": [{"type": "string", "format": "date"}, {"type": "integer", "multipleOf": 7}]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}},
               {"required": ["a"], "properties": {"a": {"maximum": 3}}}], "title": "t", "examples": [1]},
    {"type": "object", "patternProperties": {"^[xy]$": {"type": "null"}}, "additionalProperties": False,
     "minProperties": 1, "maxProperties": 2},
    {"type": "string", "minLength": 2, "maxLength": 3},
    {"type": "object"},
]  # fmt: skip


@cache
def known(kind: str) -> Tokenizer:
    return tokenizer(KINDS[kind])


@cache
def compiler(of: Tokenizer) -> ConstraintCompiler:
    return ConstraintCompiler(of)


def matcher(of: Tokenizer, kind: str, value: Any) -> Matcher:
    grammar = answer_grammar(AnswerFormat(), "", Constraint(kind, value))  # type: ignore[arg-type]
    return compiler(of).matcher(grammar, f"The {kind}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("i", range(len(SCHEMAS)))
def test_whatever_is_written_is_valid(kind: str, i: int) -> None:
    of, schema = known(kind), SCHEMAS[i]
    for seed in range(2):
        text = random_answer(matcher(of, "json_schema", schema), of, seed)
        jsonschema.validate(
            json.loads(text), schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "regex",
    [r"\d{3}-[a-z]{2,5}", r"(foo|ba[rz])+!", r" ?a/b\.x|", r"(?i:yes|no)[^\n]{0,4}\s*", r"^[\w.]+@\w+$"],
)
def test_the_whole_answer_matches_the_regex(kind: str, regex: str) -> None:
    of = known(kind)
    for seed in range(3):
        assert re.fullmatch(regex, random_answer(matcher(of, "regex", regex), of, seed), re.DOTALL)


def test_masks_are_those_of_every_next_text() -> None:
    """Against trying every token with Python's own matching of beginnings of ``a*b{2}|ab?c``."""
    of = load_tokenizer(TINY / "llama-mix.gguf")
    words = {"bb", "ac", "abc"} | {"a" * n + "bb" for n in range(1, 12)}
    for begun in ("", "a", "ab", "aa", "aab", "b"):
        follows = matcher(of, "regex", "a*b{2}|ab?c")
        for letter in begun:
            follows.advance(of.encode(letter, add_special=False)[0])
        pieces = [of.token_bytes(id).decode("utf-8", "replace") for id in range(of.n_vocab)]
        want = [
            id
            for id, piece in enumerate(pieces)
            if id not in of.special_ids and any(word.startswith(begun + piece) for word in words)
        ]
        assert follows.allowed().tolist() == want


def test_a_lark_and_a_gbnf_grammar() -> None:
    of = known("bpe")
    lark = 'start: item ("," item)*\nitem: NUMBER | "(" start ")"\nNUMBER: /[0-9]{1,3}/'
    gbnf = 'root ::= item ("," item)*\nitem ::= [0-9]{1,3} | "(" root ")"'
    for text in (lark, gbnf):
        written = [random_answer(matcher(of, "grammar", text), of, seed, ends=")") for seed in range(5)]
        for each in written:
            assert isinstance(eval(each.replace("0", ""), {}), int | tuple) or "0" in each
            assert each.count("(") == each.count(")")


def test_special_tokens_of_a_grammar_are_tokens() -> None:
    of = tokenizer(bpe_metadata([], {"<eos>": CONTROL, "<|tool|>": CONTROL}, eos_token_id=256))
    follows = matcher(of, "grammar", 'start: "a" <|tool|> "b"')
    follows.advance(of.encode("a")[0])
    assert follows.allowed().tolist() == [257]
    text = matcher(of, "regex", r"(?s:.)*")
    assert 257 not in text.allowed()
    assert 256 in text.allowed()
    assert 256 not in text.allowed(ends=False)


def test_without_end_tokens_and_without_a_way_on() -> None:
    of = tokenizer(bpe_metadata([], {}, eos_token_id=0xFFFFFFFF, bos_token_id=0xFFFFFFFF))
    follows = matcher(of, "regex", "ab")
    for letter in "ab":
        assert not follows.is_complete
        follows.advance(of.encode(letter)[0])
    assert follows.is_complete
    letters = tokenizer(SMALL_VOCABULARIES["unigram"])
    with pytest.raises(RushlightError, match="no token"):
        matcher(letters, "regex", "#").allowed()


def test_the_place_of_an_end_token_where_more_may_come() -> None:
    of = known("bpe")
    follows = matcher(of, "regex", "a{0,2}")
    eos, a = of.eos_id, of.encode("a")[0]
    assert follows.allowed().tolist() == [a, eos]
    assert follows.allowed(ends=False).tolist() == [a]
    follows.advance(a)
    follows.advance(a)
    assert follows.is_complete


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (
            "json_schema",
            {"type": "object", "properties": {"a": {"unknown": 1}}},
            "'unknown' at #/properties/a ",
        ),
        ("json_schema", {"not": {}}, "'not' at # "),
        ("json_schema", {"type": "array", "uniqueItems": True}, "uniqueItems"),
        ("json_schema", {"x-guidance": {"lenient": True}}, "x-guidance"),
        ("json_schema", {"$defs": {"a": {"if": {}}}}, "'if' at #/\\$defs/a"),
        ("json_schema", {"items": [{"nope": 1}]}, "prefixItems"),
        ("json_schema", {"additionalItems": False}, "additionalItems"),
        ("json_schema", {"exclusiveMinimum": True, "minimum": 1}, "exclusiveMinimum"),
        ("json_schema", {"anyOf": {"type": "string"}}, "list of schemas"),
        ("json_schema", {"properties": []}, "mapping of schemas"),
        ("json_schema", {"items": 3}, "a schema was expected"),
        ("json_schema", {"$ref": "https://example.org/a.json"}, "example.org"),
        ("json_schema", {"$ref": "#/$defs/none"}, "does not exist"),
        ("json_schema", {"type": "string", "format": "nonsense"}, "nonsense"),
        ("json_schema", {"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ("json_schema", {"type": "integer", "minimum": 5, "maximum": 3}, "minimum"),
        ("json_schema", {"oneOf": [{"type": "number"}, {"type": "integer"}]}, "oneOf"),
        ("regex", "a(", "unclosed group"),
        ("regex", r"(a)\1", "backreferences"),
        ("regex", r"a\b", "WordUnicode"),
        ("grammar", "start: a", 'at 1\\(8\\): unknown name: "a"'),
        ("grammar", 'start: "a" <nope>', "nope"),
        ("grammar", "root ::= a", "'a' not found"),
        ("grammar", 'root ::= "a', "GBNF"),
        ("grammar", 'start: %json {"unknown": 1}', "'unknown' at # of the schema in line 1"),
        ("grammar", 'start: "a"\nstart: "b"', "start"),
    ],
)
def test_what_cannot_be_held_is_named(kind: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        matcher(known("bpe"), kind, value)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(150):
        schema = {"items": schema}
    with pytest.raises(InvalidParameter, match="nested"):
        check_schema(schema)


def test_every_keyword_is_known_to_the_compiler() -> None:
    """A keyword that the library drops is not counted as held: with it, it would refuse nothing."""
    assert not HELD & ANNOTATIONS
    wrong = {"$ref": "#/no", "required": 3, "format": "none", "enum": 3, "type": "none", "pattern": 3}
    of = known("bpe")
    for keyword in HELD - {"const"}:  # of which no value is wrong
        with pytest.raises(InvalidParameter):
            matcher(of, "json_schema", {keyword: wrong.get(keyword, "x")})


VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2.5, 10**30, "", "a", "^a$", "(", "\\", "date", "#/$defs/a", "#", [],
    ["a"], [1, "a", None], {}, {"type": "string"}, {"a": {"type": "integer"}}, [{"type": "null"}], "integer",
    "object", "array", ["string", "null"],
]  # fmt: skip


def random_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Keywords with right and wrong values."""
    found: dict[str, Any] = {}
    for key in rng.choices([*sorted(HELD), "$defs", "title", "not"], k=rng.randint(1, 4)):
        inner = [random_schema(rng, depth + 1) for _ in range(rng.randint(0, 3))] if depth < 3 else []
        found[key] = rng.choice(VALUES)
        if key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            found[key] = inner
        elif key in ("properties", "patternProperties", "$defs"):
            found[key] = dict(zip("ab", inner, strict=False))
        elif key in ("items", "additionalProperties") and inner:
            found[key] = inner[0]
    return found


def test_a_random_schema_is_held_or_refused() -> None:
    of, rng, n_held = known("bpe"), random.Random(5), 0
    for seed in range(400):
        schema = random_schema(rng)
        try:
            text = random_answer(matcher(of, "json_schema", schema), of, seed)
        except RushlightError:  # refused, or too large on the way
            continue
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        n_held += 1
    assert n_held > 20


def test_sampling_params_check_constraints() -> None:
    assert SamplingParams(json_schema='{"type": "object"}').json_schema == '{"type": "object"}'
    for wrong in (
        {"json_schema": "{"},
        {"json_schema": "[1]"},
        {"json_schema": 3},
        {"json_schema": {"a": object()}},
        {"json_schema": "[" * 100_000},
        {"json_schema": " " * MAX_SCHEMA_CHARACTERS + "{}"},
        {"regex": 3},
        {"regex": "a" * (MAX_REGEX_CHARACTERS + 1)},
        {"grammar": b"start"},
        {"grammar": " " * (MAX_GRAMMAR_CHARACTERS + 1)},
        {"regex": "a", "grammar": "b"},
        {"json_schema": {}, "regex": "b"},
    ):
        with pytest.raises(InvalidParameter):
            SamplingParams(**wrong)  # type: ignore[arg-type]


def test_response_formats() -> None:
    free = SamplingParams()
    assert constraint_of(free) is None
    assert constraint_of(free, {"type": "text"}) is None
    assert constraint_of(free, {"type": "json_object"}) == ("json_schema", {"type": "object"})
    named = {"name": "n", "strict": True, "schema": {"type": "null"}}
    assert constraint_of(free, {"type": "json_schema", "json_schema": named}) == (
        "json_schema",
        {"type": "null"},
    )
    assert constraint_of(free, {"type": "regex", "regex": "a"}) == ("regex", "a")
    assert constraint_of(SamplingParams(json_schema='{"a": 1}')) == ("json_schema", {"a": 1})
    for params, wrong in (
        (free, {"type": "xml"}),
        (free, {"type": ["text"]}),
        (free, {}),
        (free, "json"),
        (free, {"type": "json_schema"}),
        (free, {"type": "json_schema", "json_schema": {"type": "object"}}),
        (free, {"type": "json_schema", "json_schema": {"schema": {}, "mode": 1}}),
        (free, {"type": "text", "schema": {}}),
        (free, {"type": "regex"}),
        (free, {"type": "regex", "regex": 5}),
        (SamplingParams(regex="a"), {"type": "json_object"}),
    ):
        with pytest.raises(InvalidParameter):
            constraint_of(params, wrong)  # type: ignore[arg-type]
