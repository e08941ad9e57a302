"""From what a caller asks for to a sequence for the engine and the answer that hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight.params import SamplingParams
from rushlight.prompts import Message, Prompt, encode_rendered, is_messages, prompt_of

if TYPE_CHECKING:
    from rushlight.answer import Answer, Item
    from rushlight.completion import Completion
    from rushlight.constrain import Constraint
    from rushlight.constraints import AnswerConstraints
    from rushlight.conversation import ConversationFormat
    from rushlight.engine.driver import Driver
    from rushlight.engine.engine import Engine
    from rushlight.engine.sequence import Sequence
    from rushlight.text import Tokenizer

    Request = tuple[Sequence, Answer]


class ChatOptions(NamedTuple):
    """What a request says of a conversation, or of what its answer has to match; see `LLM.chat`."""

    tools: list[Any] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool = True
    response_format: Mapping[str, Any] | None = None
    chat_template_kwargs: Mapping[str, Any] | None = None


class Delivery(NamedTuple):
    """How an answer is handed over.

    Attributes:
        deliver: see `Answer`; None: it is kept until somebody waits for it.
        end_only: leave the chunks out.
    """

    deliver: Callable[[Item], None] | None = None
    end_only: bool = False


NO_OPTIONS = ChatOptions()
KEPT = Delivery()


class RequestMaker:
    """Makes the sequences of a model, not submitted yet, and the answers to be.

    Args:
        tokenizer: of the model.
        engine: which will run the sequences.
    """

    def __init__(self, tokenizer: Tokenizer, engine: Engine) -> None:
        self._tokenizer = tokenizer
        self._engine = engine

    @cached_property
    def conversation(self) -> ConversationFormat:
        """How the model writes conversations."""
        from rushlight.conversation import ConversationFormat  # brings the template engine in

        return ConversationFormat(self._tokenizer)

    def text(
        self,
        prompt: Prompt | list[Message],
        params: SamplingParams | None,
        options: ChatOptions,
        delivery: Delivery,
    ) -> Request:
        """A request for text.

        Raises:
            TemplateError, InvalidParameter, ContextOverflow: see `LLM.chat`.
        """
        params = (params or SamplingParams()).suppressing(self._tokenizer.suppress_ids)
        wanted = _wanted(params, options.response_format)
        if is_messages(prompt):
            return self._answer_to(prompt, params, options, wanted, delivery)
        from rushlight.answer import Answer

        matcher = self._constraints.matcher(wanted) if wanted else None
        answer = Answer(self._tokenizer, params, False, deliver=delivery.deliver, end_only=delivery.end_only)
        single = prompt_of(prompt)
        ids = self._tokenizer.encode(single) if isinstance(single, str) else single
        return self._engine.sequence(ids, params, listener=answer, matcher=matcher), answer

    def rows(self, ids: list[int], every_row: bool) -> Request:
        """A request for what the model gives after every token of a prompt, or after the last one."""
        from rushlight.answer import Answer

        answer = Answer(self._tokenizer, SamplingParams(), strip_prefix=False)
        return (
            self._engine.sequence(ids, listener=answer, prompt_logits=True, every_row=every_row),
            answer,
        )

    def _answer_to(
        self,
        messages: list[Message],
        params: SamplingParams,
        options: ChatOptions,
        wanted: Constraint | None,
        delivery: Delivery,
    ) -> Request:
        from rushlight.answer import Answer
        from rushlight.tool_choice import tool_choice_of

        choice = tool_choice_of(options.tools, options.tool_choice, options.parallel_tool_calls)
        text = self.conversation.render(messages, choice.tools, True, options.chat_template_kwargs)
        form = self.conversation.answer_format(choice.tools)
        constrained = wanted is not None or choice.required
        matcher = self._constraints.matcher(wanted, choice, form, text) if constrained else None
        answer = Answer(
            self._tokenizer,
            params,
            matcher is None,  # what a constraint allows is the text as it is, its first space included
            form.parser(text, choice.tools),
            form.tokens,
            delivery.deliver,
            delivery.end_only,
            not choice.parallel,
        )
        ids = encode_rendered(self._tokenizer, text)
        return self._engine.sequence(ids, params, listener=answer, matcher=matcher), answer

    @cached_property
    def _constraints(self) -> AnswerConstraints:
        from rushlight.constraints import AnswerConstraints  # brings the constraints in

        return AnswerConstraints(self._tokenizer)


def complete(driver: Driver, requests: list[Request]) -> list[Completion]:
    """Run requests together until each has its completion."""
    with driver.running([sequence for sequence, _ in requests]):
        return [answer.completion() for _, answer in requests]


def _wanted(params: SamplingParams, response_format: Mapping[str, Any] | None) -> Constraint | None:
    """What an answer has to match, None for anything."""
    if response_format is None and params.json_schema is params.regex is params.grammar is None:
        return None
    from rushlight.constrain import constraint_of

    return constraint_of(params, response_format)
