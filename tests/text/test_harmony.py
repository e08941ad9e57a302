"""The channels of gpt-oss."""

from __future__ import annotations

from helpers.wire_formats import calls_in, cuts, parts_of

from rushlight.text.answer_parts import AnswerParts, CallMaker
from rushlight.text.harmony import HarmonyAnswer


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
