"""A plug-in of the command-line tool ``llm`` (https://llm.datasette.io): Rushlight's models in its process.

Nothing but ``llm`` imports this module: it is named in the package's metadata as an entry point of the group
"llm". Models are called ``rushlight/`` and a reference or alias.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import llm
from llm.parts import Message, ReasoningPart, StreamEvent, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from rushlight.errors import RushlightError
from rushlight.hub import ALIASES, list_models


@llm.hookimpl
def register_models(register: Callable[[llm.Model], None]) -> None:
    """Tell ``llm`` of the aliases and of the models on this machine."""
    for reference in dict.fromkeys([*ALIASES, *(model.reference for model in list_models())]):
        register(RushlightModel(reference))


class RushlightModel(llm.Model):
    """A model that is loaded when it is first asked, and stays.

    Args:
        reference: of the model, as `rushlight.LLM` takes it.
    """

    can_stream = True
    supports_tools = True
    supports_schema = True

    class Options(llm.Options):
        """Fields of `rushlight.SamplingParams`, and the context."""

        max_tokens: int | None = Field(None, description="most tokens of the answer")
        temperature: float | None = Field(None, description="0 always takes the likeliest token")
        top_k: int | None = Field(None, description="keep the N likeliest tokens, 0 keeps all")
        top_p: float | None = Field(None, description="keep the likeliest tokens up to this probability")
        min_p: float | None = Field(None, description="keep tokens this likely relative to the likeliest")
        repeat_penalty: float | None = Field(None, description="make tokens less likely to come again")
        seed: int | None = Field(None, description="of the random numbers; the same gives the same answer")
        stop: str | None = Field(None, description="end the answer at this text")
        n_ctx: int | None = Field(None, description="tokens of context; counts when the model is loaded")

    def __init__(self, reference: str) -> None:
        self.model_id = f"rushlight/{reference}"
        self._reference = reference
        self._n_ctx: int | None = None

    def execute(
        self, prompt: llm.Prompt, stream: bool, response: llm.Response, conversation: llm.Conversation | None
    ) -> Iterator[StreamEvent]:
        """The answer in events, as they come.

        Raises:
            llm.ModelError: an error of Rushlight.
        """
        from rushlight.params import SamplingParams

        options = prompt.options.model_dump(exclude_none=True)
        self._n_ctx = options.pop("n_ctx", None)
        messages = [part for message in prompt.messages for part in messages_of(message)]
        tools = [function_of(tool) for tool in prompt.tools] or None
        form = _response_format(prompt.schema)
        try:
            params = SamplingParams(**options)
            for chunk in self._llm.stream(messages, params, tools=tools, response_format=form):
                if chunk.reasoning:
                    yield StreamEvent(type="reasoning", chunk=chunk.reasoning)
                if chunk.text:
                    yield StreamEvent(type="text", chunk=chunk.text)
                for call in chunk.tool_calls:
                    yield from _called(call, response)
                if chunk.usage is not None:
                    details = {"cached": chunk.usage.cached_tokens} if chunk.usage.cached_tokens else None
                    response.set_usage(
                        input=chunk.usage.prompt_tokens, output=chunk.usage.completion_tokens, details=details
                    )
        except RushlightError as error:
            raise llm.ModelError(str(error)) from error

    @cached_property
    def _llm(self) -> Any:
        from rushlight.llm import LLM

        return LLM(self._reference, n_ctx=self._n_ctx)


def messages_of(message: Message) -> Iterator[dict[str, Any]]:
    """A message of ``llm`` as OpenAI's API writes it; each result of a tool is one of its own."""
    texts, thoughts, calls = [], [], []
    for part in message.parts:
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, ReasoningPart):
            thoughts.append(part.text)
        elif isinstance(part, ToolCallPart):
            function = {"name": part.name, "arguments": json.dumps(part.arguments)}
            calls.append({"id": part.tool_call_id, "type": "function", "function": function})
        elif isinstance(part, ToolResultPart):
            output = part.exception or part.output
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "name": part.name, "content": output}
        else:
            raise llm.ModelError(f"A message has a {type(part).__name__}; models here read text only.")
    if message.role != "tool":
        yield {
            "role": message.role,
            "content": "".join(texts),
            **({"reasoning": "".join(thoughts)} if any(thoughts) else {}),
            **({"tool_calls": calls} if calls else {}),
        }


def function_of(tool: Any) -> dict[str, Any]:
    """A tool of ``llm`` as OpenAI's API writes it."""
    if not isinstance(tool, llm.Tool):
        raise llm.ModelError(f"{tool!r} runs on a server of its own; models here call functions only.")
    function = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.input_schema or {"type": "object", "properties": {}},
    }
    return {"type": "function", "function": function}


def _response_format(schema: Any) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _called(call: dict[str, Any], response: llm.Response) -> Iterator[StreamEvent]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    yield StreamEvent(type="tool_call_name", chunk=name, tool_call_id=call["id"])
    yield StreamEvent(type="tool_call_args", chunk=arguments, tool_call_id=call["id"])
    response.add_tool_call(llm.ToolCall(name=name, arguments=json.loads(arguments), tool_call_id=call["id"]))
