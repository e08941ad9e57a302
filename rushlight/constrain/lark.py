"""Grammars in llguidance's Lark syntax, put together of rules.

Source of the syntax: https://github.com/guidance-ai/llguidance (``docs/syntax.md``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rushlight.constrain.constraint import Constraint
from rushlight.constrain.json_schema import check_schema
from rushlight.errors import InvalidParameter

# As Python's json.dumps writes, or without the spaces: white space has an end, so no model runs on in it.
_JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
# The model chooses how to cut what is certain to come: masks depend on the text alone.
_OPTIONS = '%llguidance {"no_forcing": true}\n'
_INLINE_SCHEMA = re.compile(r"%json\s*(?=\{)")
_LARK = re.compile(r"^\s*(%llguidance\b|start\s*(\[[^\]]*\]\s*)?:)", re.MULTILINE)

_SPECIAL = re.compile(r"[.^$*+?()\[\]{}|\\/]")


class GrammarText:
    """Rules, one after the other, and what they are made of.

    Args:
        tokens: the ids of the special tokens that literals may hold, by their texts.
    """

    def __init__(self, tokens: Mapping[str, int] | None = None) -> None:
        self._tokens = dict(tokens or {})
        marks = sorted(self._tokens, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, marks))) if marks else None
        self._rules: list[str] = []

    def text(self, start: str) -> str:
        """The whole grammar, whose answers are those of an expression."""
        return "\n".join([f"start: {start or _EMPTY}", *self._rules, _OPTIONS])

    def rule(self, expression: str, options: str = "") -> str:
        """Give an expression a name, which stands for it from then on."""
        name = f"r{len(self._rules)}"
        self._rules.append(f"{name}{options}: {expression or _EMPTY}")
        return name

    def terminal(self, expression: str) -> str:
        """Give a regular expression of Lark's a name."""
        name = f"T{len(self._rules)}"
        self._rules.append(f"{name}: {expression}")
        return name

    def literal(self, text: str) -> str:
        """A text; special tokens that it holds are matched as tokens."""
        parts, place = [], 0
        for match in self._marks.finditer(text) if self._marks else ():
            parts += [_quoted(text[place : match.start()]), f"<[{self._tokens[match.group()]}]>"]
            place = match.end()
        return " ".join(filter(None, [*parts, _quoted(text[place:])]))

    def json(self, schema: Any) -> str:
        """A JSON value that a schema allows, checked before."""
        styled = schema if isinstance(schema, bool) else {"x-guidance": _JSON_STYLE, **schema}
        return self.rule(f"%json {json.dumps(styled if styled is not True else {'x-guidance': _JSON_STYLE})}")

    def up_to(self, end: str, without: tuple[str, ...] = ()) -> str:
        """Any text up to and with its end; it holds none of some other texts."""
        mark = self._marks.search(end) if self._marks else None
        if mark is None:
            return self.rule(self.terminal(f"/(?s:.*){_escaped(end)}/{_without(without)}"), "[lazy]")
        # The text of the special token may be spelled with others, which would read as the end.
        before = self.terminal(f"/(?s:.*){_escaped(end[: mark.start()])}/{_without((end, *without))}")
        return f"{before} {self.literal(end[mark.start() :])}"

    def constraint(self, wanted: Constraint) -> str:
        """What a constraint allows, as an expression; a grammar stands for itself (`read_grammar`)."""
        if wanted.kind == "json_schema":
            check_schema(wanted.value)
            return self.json(wanted.value)
        return self.rule(regex_literal(wanted.value))


_EMPTY = '""'


def regex_literal(regex: str) -> str:
    """A regular expression as Lark writes it; its classes such as ``\\d`` are those of ASCII."""
    from llguidance import regex_to_lark

    one_line = regex.replace("\n", r"\n")
    return f"/{regex_to_lark(one_line, 'dws')}/" if regex else _EMPTY


def read_grammar(text: str) -> str:
    """A grammar as a user gives it, in Lark's syntax or llama.cpp's GBNF, in Lark's.

    Raises:
        InvalidParameter: it is none, or a schema inside of it has a keyword that is not supported.
    """
    if not _LARK.search(text):
        text = _from_gbnf(text)
    for match in _INLINE_SCHEMA.finditer(text):
        try:
            schema, _ = json.JSONDecoder().raw_decode(text, match.end())
        except (ValueError, RecursionError):
            continue  # llguidance says what is wrong
        schema = {key: value for key, value in schema.items() if key != "x-guidance"}
        check_schema(schema, f"the schema in line {text.count(chr(10), 0, match.start()) + 1} of the grammar")
    return f"{text}\n{_OPTIONS}"


def _from_gbnf(text: str) -> str:
    from llguidance.gbnf_to_lark import gbnf_to_lark

    try:
        return gbnf_to_lark(text)
    except Exception as error:  # of its own kinds, and IndexError where the text ends early
        raise InvalidParameter(
            f"The grammar has no rule named start, so it was read as GBNF, and cannot be: {error}"
        ) from error


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""


def _without(texts: tuple[str, ...]) -> str:
    return "".join(f" & ~/(?s:.*){_escaped(each)}(?s:.*)/" for each in texts)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")
