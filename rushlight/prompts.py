"""What counts as a prompt, a batch of prompts and a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from rushlight.errors import InvalidParameter

if TYPE_CHECKING:
    from rushlight.text import Tokenizer

Prompt = str | list[int]
"""A text, or token ids."""

Prompts = list[str] | list[list[int]] | list[Prompt]
"""A batch of prompts."""

Message = Mapping[str, Any]
"""One turn of a conversation: a "role" and its "content"."""


def batch_of(prompts: Prompt | Prompts) -> tuple[list[Prompt], bool]:
    """A batch, and whether the prompt was a single one.

    Raises:
        InvalidParameter: neither a prompt nor a list of prompts.
    """
    if isinstance(prompts, str) or _is_token_ids(prompts):
        return [prompt_of(prompts)], True
    if isinstance(prompts, list | tuple) and prompts:
        return [prompt_of(prompt) for prompt in prompts], False
    raise InvalidParameter(
        f"A prompt is a text or a list of token ids, and a batch a list of such; got {_shown(prompts)}."
    )


def is_messages(prompt: object) -> TypeGuard[list[Message]]:
    """Whether this is a conversation.

    Raises:
        InvalidParameter: a conversation with a turn that has no role.
    """
    if not isinstance(prompt, list | tuple) or not prompt or not isinstance(prompt[0], Mapping):
        return False
    for message in prompt:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidParameter(
                f'A message is a mapping with a "role" and "content"; got {_shown(message)}.'
            )
    return True


def is_texts(texts: object) -> TypeGuard[list[str]]:
    """Whether this is a list of texts, not an empty one."""
    return isinstance(texts, list | tuple) and bool(texts) and all(isinstance(t, str) for t in texts)


def prompt_of(prompt: object) -> Prompt:
    """A single prompt, token ids as a list of int.

    Raises:
        InvalidParameter: it is none.
    """
    if isinstance(prompt, str):
        return prompt
    if _is_token_ids(prompt):
        return [int(i) for i in prompt]
    raise InvalidParameter(f"A prompt is a text or a list of token ids; got {_shown(prompt)}.")


def with_read_arguments(messages: list[Message]) -> list[Message]:
    """The messages with the arguments of tool calls as objects, which OpenAI's API writes as JSON text.

    Chat templates write arguments as JSON themselves. Text that holds no JSON object stays as it is.
    """
    return [
        {**message, "tool_calls": [_with_read_arguments(call) for call in calls]}
        if isinstance(calls := message.get("tool_calls"), list | tuple)
        else message
        for message in messages
    ]


def _with_read_arguments(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return call
    import json

    try:
        arguments = json.loads(function["arguments"])
    except (ValueError, RecursionError):
        return call
    return {**call, "function": {**function, "arguments": arguments}} if isinstance(arguments, dict) else call


def encode_rendered(tokenizer: Tokenizer, text: str) -> list[int]:
    """Tokens of a rendered conversation: the BOS and EOS that `encode` adds are not added twice."""
    special = tokenizer.special_tokens
    if tokenizer.add_bos:
        text = text.removeprefix(special.get("bos_token", ""))
    if tokenizer.add_eos:
        text = text.removesuffix(special.get("eos_token", ""))
    return tokenizer.encode(text)


def _is_token_ids(prompt: object) -> TypeGuard[list[int]]:
    if isinstance(prompt, np.ndarray):
        return prompt.ndim == 1 and np.issubdtype(prompt.dtype, np.integer)
    if not isinstance(prompt, list | tuple) or not prompt:
        return False
    return all(isinstance(i, Integral) and not isinstance(i, bool) for i in prompt)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
