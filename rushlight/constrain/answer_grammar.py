"""The grammar of a whole answer: what is thought first, then calls of tools or what a constraint allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rushlight.constrain.constraint import Constraint
from rushlight.constrain.json_schema import check_schema
from rushlight.constrain.lark import GrammarText, read_grammar
from rushlight.text.answer_format import AnswerFormat
from rushlight.text.harmony import HARMONY_FINAL, HARMONY_THINKING, HARMONY_WRITING
from rushlight.text.tool_formats.writing import CallWriting, Json, Maybe, Pattern, Piece, Raw, Repeat

# Between thinking and what follows it; more would be an invitation to go on with it.
_SPACE = r"/[ \t\r\n]{0,8}/"
_WANTED = "wanted"
# A model that may go on with calls may do nothing else.
MAX_CALLS = 16


class Calls(NamedTuple):
    """Which calls an answer may hold.

    Attributes:
        functions: the schema of the arguments of each function, by name.
        required: whether it must hold one.
        parallel: whether it may hold several.
    """

    functions: Mapping[str, Mapping[str, object]]
    required: bool
    parallel: bool


class Grammar(NamedTuple):
    """A grammar in llguidance's Lark syntax.

    Attributes:
        start: the grammar of the whole answer.
        others: those that it refers to by name.
        is_given: whether `start` is a user's own.
    """

    start: str
    others: Mapping[str, str] = MappingProxyType({})
    is_given: bool = False


def answer_grammar(
    form: AnswerFormat,
    prompt: str,
    wanted: Constraint | None,
    calls: Calls | None = None,
    tokens: Mapping[str, int] | None = None,
) -> Grammar:
    """The grammar of the answers to a prompt.

    Args:
        form: how the model writes its answers; with `calls`, it is known how it writes those.
        prompt: the conversation as text.
        wanted: what holds for an answer that calls nothing; None: such an answer is not allowed.
        calls: those that are allowed, if any are.
        tokens: the ids of special tokens, by their texts.

    Raises:
        InvalidParameter: a schema with a keyword that cannot be held.
    """
    if (
        wanted is not None
        and wanted.kind == "grammar"
        and calls is None
        and not (form.tags or form.is_harmony)
    ):
        return Grammar(read_grammar(wanted.value), is_given=True)
    text = GrammarText({mark: id for mark, id in (tokens or {}).items() if mark in form.tokens})
    others: dict[str, str] = {}
    options = []
    if calls is not None:
        options.append(_calls(text, _writing(form), calls))
    if wanted is not None:
        if wanted.kind == "grammar":
            others[_WANTED] = read_grammar(wanted.value)
        said = f"@{_WANTED}" if others else text.constraint(wanted)
        before = HARMONY_FINAL if form.is_harmony else form.tags.said if form.tags else ""
        options.append(f"{text.literal(before)} {said}")
    start = f"{_thinking(text, form, prompt)} ({' | '.join(map(text.rule, options))})"
    return Grammar(text.text(start), others)


def _writing(form: AnswerFormat) -> CallWriting:
    writing = HARMONY_WRITING if form.is_harmony else form.tools and form.tools.writing
    assert writing, "callers see to it"
    return writing


def _thinking(text: GrammarText, form: AnswerFormat, prompt: str) -> str:
    """What stands before everything else, as far as the prompt leaves it to the model."""
    if form.is_harmony:
        begin, end, after = HARMONY_THINKING
        return f"({text.literal(begin)} {text.up_to(end)} {text.literal(after)})*"
    tags, before = form.tags, prompt.rstrip().removesuffix(form.tags.then if form.tags else "")
    if tags is None or before.endswith(tags.open + tags.close if tags.said else tags.close):
        return ""
    thought = f"{text.up_to(tags.close)} {text.literal(tags.then) or text.rule(_SPACE)}"
    return thought if before.endswith(tags.open) else f"({text.literal(tags.open)} {thought})?"


def _calls(text: GrammarText, writing: CallWriting, calls: Calls) -> str:
    options = []
    for name, parameters in calls.functions.items():
        check_schema(parameters, f"the parameters of tool {name}")
        options.append(text.rule(_pieces(text, writing.call(name, parameters))))
    call = text.rule(" | ".join(options))
    begin, end = text.literal(writing.begin), text.literal(writing.end)
    several = calls.parallel
    if several and writing.between is not None:
        call += f" ({text.literal(writing.between)} {call}){{0,{MAX_CALLS - 1}}}"
    block = text.rule(f"{begin} {call} {end}")
    if several and writing.blocks is not None:
        block += f" ({text.literal(writing.blocks)} {block}){{0,{MAX_CALLS - 1}}}"
    return block


def _pieces(text: GrammarText, pieces: Sequence[Piece]) -> str:
    return " ".join(filter(None, (_piece(text, piece) for piece in pieces)))


def _piece(text: GrammarText, piece: Piece) -> str:
    if isinstance(piece, str):
        return text.literal(piece)
    if isinstance(piece, Json):
        return text.json(piece.schema)
    if isinstance(piece, Raw):
        return text.up_to(piece.end, piece.without)
    if isinstance(piece, Pattern):
        return f"/{piece.regex}/"
    if isinstance(piece, Maybe):
        return f"({_pieces(text, piece.pieces)})?"
    if isinstance(piece, Repeat):
        inner = text.rule(_pieces(text, piece.pieces))
        return f"({inner} ({text.literal(piece.separator)} {inner})*)?"
    options = [text.rule(_pieces(text, option)) for option in piece.options]
    return f"({' | '.join(options)})"
