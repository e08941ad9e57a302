"""Answers read as they are written: tags of thinking, and any text in any pieces."""

from __future__ import annotations

from helpers.wire_formats import FORMATS, TOOLS, cuts, parts_of, tagged
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.text.answer_format import AnswerFormat
from rushlight.text.answer_parts import AnswerParts, CallMaker
from rushlight.text.harmony import HARMONY_TOKENS, HarmonyAnswer
from rushlight.text.tool_formats import TOOL_FORMATS, ToolFormat


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
