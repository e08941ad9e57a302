"""Conversations: messages to a prompt, and how the answer to it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rushlight.errors import InvalidParameter, TemplateError
from rushlight.prompts import Message, with_read_arguments
from rushlight.text import ChatTemplate, Tokenizer, chat_template_for
from rushlight.text.answer_format import AnswerFormat, answer_format_of
from rushlight.text.tool_stand_in import (
    STAND_IN,
    introduction,
    shows_tools,
    with_introduction,
    with_written_calls,
)

_ARGUMENTS = ("messages", "tools", "add_generation_prompt")


class ConversationFormat:
    """How a model writes conversations. Safe to use from several threads.

    Args:
        tokenizer: of the model; it holds the chat templates.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def template(self) -> ChatTemplate:
        """The plain chat template; one with `is_fallback` where the model has none."""
        return chat_template_for(self._tokenizer)

    @cached_property
    def tool_template(self) -> ChatTemplate:
        """The template for conversations with tools: the plain one, unless the model has one for them."""
        return chat_template_for(self._tokenizer, name="tool_use")

    def render(
        self,
        messages: list[Message],
        tools: list[Any] | None,
        add_generation_prompt: bool,
        variables: Mapping[str, Any] | None,
    ) -> str:
        """A conversation as one text.

        Args:
            messages, tools, add_generation_prompt: see `ChatTemplate.render`; the arguments of tool calls may
                be JSON text.
            variables: what else the template reads.

        Raises:
            TemplateError: the template refuses the conversation.
            InvalidParameter: a variable is called as an argument is, or a message or tool is malformed.
        """
        variables = dict(variables or {})
        if taken := next((name for name in _ARGUMENTS if name in variables), None):
            raise InvalidParameter(f"chat_template_kwargs cannot hold {taken}; it is an argument itself.")
        template = self._template(tools)
        messages = with_read_arguments(messages)
        if "tool_calls" not in template.source and any(map(_is_of_tools, messages)):
            messages = [*with_written_calls(messages)]
        if not tools or shows_tools(template.source):
            return template.render(messages, tools, add_generation_prompt, **variables)
        text = introduction(tools, self.answer_format(tools).tools or STAND_IN)
        try:
            told = with_introduction(messages, text, "system")
            return template.render(told, None, add_generation_prompt, **variables)
        except TemplateError:  # of a template that knows no system message
            told = with_introduction(messages, text, "user")
            return template.render(told, None, add_generation_prompt, **variables)

    def answer_format(self, tools: list[Any] | None) -> AnswerFormat:
        """The format of answers in a conversation with these tools.

        Where the template neither shows tools nor knows how calls are written, `render` tells the model both.

        Raises:
            InvalidParameter: the template shows tools, but how it writes calls is not known.
        """
        source = self._template(tools).source
        form = answer_format_of(source, with_tools=bool(tools))
        if not tools or form.writes_calls:
            return form
        if shows_tools(source):
            raise InvalidParameter(
                "The model's chat template shows tools, but writes calls in no format that is known (see "
                "docs/text.md); leave the tools out, or tell of them in a message."
            )
        return form._replace(tools=STAND_IN)

    def _template(self, tools: list[Any] | None) -> ChatTemplate:
        return self.template if tools is None else self.tool_template


def _is_of_tools(message: Message) -> bool:
    return message.get("role") == "tool" or bool(message.get("tool_calls"))
