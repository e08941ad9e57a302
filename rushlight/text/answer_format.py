"""How the answers to a conversation are to be read: by what the chat template contains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight.text.answer_parts import AnswerParser, CallMaker, argument_schemas
from rushlight.text.dropped_marks import WithoutMarks
from rushlight.text.reasoning import ReasoningTags, reasoning_tags_of
from rushlight.text.tagged_answer import TaggedAnswer
from rushlight.text.template_data import plain_tools

if TYPE_CHECKING:
    from rushlight.text.tool_formats import ToolFormat

_HARMONY = ("<|start|>assistant", "<|channel|>analysis<|message|>")


class AnswerFormat(NamedTuple):
    """The format of a model's answers.

    Attributes:
        tags: what marks its thinking, None if nothing does.
        tools: how it writes tool calls, None if that is not known or was not asked.
        is_harmony: whether it writes messages on channels, as gpt-oss does; the others are None then.
    """

    tags: ReasoningTags | None = None
    tools: ToolFormat | None = None
    is_harmony: bool = False

    @property
    def writes_calls(self) -> bool:
        """Whether it is known how calls are written, so that they can be demanded."""
        return self.is_harmony or (self.tools is not None and self.tools.writing is not None)

    @property
    def tokens(self) -> frozenset[str]:
        """The texts of the special tokens that a parser has to see."""
        if self.is_harmony:
            from rushlight.text.harmony import HARMONY_TOKENS

            return frozenset(HARMONY_TOKENS)
        tools = self.tools
        of_tools = () if tools is None else (*tools.begins, *tools.ends, *tools.tokens)
        return frozenset((*(self.tags.tokens if self.tags else ()), *of_tools))

    def parser(self, prompt: str, tools: Sequence[Any] | None) -> AnswerParser | None:
        """What takes one answer apart; None where an answer has no parts.

        Args:
            prompt: the conversation as the template wrote it, the beginning of the answer included.
            tools: those that the model may call; without any, calls are text.
        """
        make = CallMaker(prompt)
        if self.is_harmony:
            from rushlight.text.harmony import HarmonyAnswer

            return HarmonyAnswer(bool(tools), make)
        called = self.tools if tools else None
        if self.tags is None and called is None:
            return None
        thinks = self.tags is not None and prompt.rstrip().endswith(self.tags.open)
        parser = TaggedAnswer(self.tags, thinks, called, argument_schemas(plain_tools(tools)), make)
        if self.tags is not None and self.tags.dropped:
            return WithoutMarks(parser, self.tags.dropped)
        return parser


def answer_format_of(template: str, with_tools: bool = True) -> AnswerFormat:
    """The format of the answers of models with this chat template.

    Args:
        template: the source of the template.
        with_tools: whether it matters how tool calls are written.
    """
    if all(text in template for text in _HARMONY):
        return AnswerFormat(is_harmony=True)
    tags = reasoning_tags_of(template)
    if not with_tools:
        return AnswerFormat(tags)
    from rushlight.text.tool_formats import tool_format_of

    return AnswerFormat(tags, tool_format_of(template))
