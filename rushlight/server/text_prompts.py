"""Prompts that are texts or token ids, and what is cut off of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from rushlight.errors import InvalidParameter
from rushlight.prompts import Prompt, batch_of
from rushlight.server.service import Service


class TextPrompts(NamedTuple):
    """The prompts of a request.

    Attributes:
        given: as they came.
        ids: their tokens.
        n_dropped: tokens that were cut off, of all prompts together.
    """

    given: list[Prompt]
    ids: list[list[int]]
    n_dropped: int = 0


def text_prompts(service: Service, prompts: Any, keep: int | None) -> TextPrompts:
    """Tokenize prompts. It takes its time.

    Args:
        service: of the request.
        prompts: one or several.
        keep: how many tokens of each may stay, the last ones; None: all.

    Raises:
        InvalidParameter: too many prompts, one without tokens, or none of their tokens may stay.
    """
    given, _ = batch_of(prompts)
    if len(given) > service.options.max_inputs:
        raise InvalidParameter(
            f"There are {len(given)} prompts; this server takes at most {service.options.max_inputs} at once."
        )
    ids = [service.llm.tokenize(prompt) if isinstance(prompt, str) else prompt for prompt in given]
    if (empty := next((i for i, each in enumerate(ids) if not each), None)) is not None:
        raise InvalidParameter(f"Prompt {empty} is empty; it must hold at least one token.")
    if keep is None:
        return TextPrompts(given, ids)
    if keep < 1:
        raise InvalidParameter(f"truncate_prompt_tokens leaves {keep} tokens; at least 1 is needed.")
    n_dropped = sum(max(0, len(each) - keep) for each in ids)
    return TextPrompts(given, [each[-keep:] for each in ids], n_dropped)
