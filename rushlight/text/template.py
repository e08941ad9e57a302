"""Chat templates: messages to the text that a model was trained on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import SecurityError

from rushlight.errors import RushlightError, TemplateError
from rushlight.text.template_data import plain, plain_messages, plain_tools
from rushlight.text.template_environment import Refusal, TemplateEnvironment
from rushlight.text.template_limits import TemplateLimits, limited


class ChatTemplate:
    """A Jinja chat template, rendered as transformers renders it (``apply_chat_template``).

    Templates come from strangers: they run in a sandbox, see plain data only, and are stopped when they take
    too long or make too much. Safe to use from several threads.

    Args:
        source: the template.
        special_tokens: variables such as ``bos_token`` and ``eos_token``.
        now: the time that the template's ``strftime_now`` tells.
        is_fallback: whether the template is a stand-in for one that the model lacks.
        limits: what one rendering may use.

    Attributes:
        source: the template.
        is_fallback: see above.

    Raises:
        TemplateError: the template is too large, or cannot be read; the message names the line.
    """

    def __init__(
        self,
        source: str,
        special_tokens: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = datetime.now,
        is_fallback: bool = False,
        limits: TemplateLimits | None = None,
    ) -> None:
        self.source = source
        self.is_fallback = is_fallback
        self._special_tokens = dict(special_tokens or {})
        self._limits = limits or TemplateLimits()
        if len(source) > self._limits.max_source:
            raise TemplateError(
                f"The chat template has {len(source):,} characters; at most {self._limits.max_source:,} were "
                "expected."
            )
        try:
            with limited(self._limits):
                self._template = TemplateEnvironment(now).from_string(source)
        except TemplateSyntaxError as error:
            raise TemplateError(
                f"The chat template cannot be read, line {error.lineno}: {error.message}"
            ) from error
        except (SecurityError, RecursionError, MemoryError, OverflowError, SyntaxError) as error:
            raise TemplateError(f"The chat template cannot be read: {error}") from error

    def render(
        self,
        messages: Sequence[Any],
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        """The text of a conversation.

        Args:
            messages: dicts with ``role`` and ``content`` (text, or a list of parts), and whatever else the
                template reads.
            tools: JSON schemas of functions that the model may call, or such functions.
            add_generation_prompt: end with the beginning of the model's answer.
            variables: what else the template reads, such as ``enable_thinking`` or ``documents``.

        Raises:
            InvalidParameter: a message is no dict, or a tool neither a dict nor a function with a docstring.
            TemplateError: the template refuses the conversation, fails, or is stopped.
        """
        context = {
            **self._special_tokens,
            "documents": None,
            **plain(variables),
            "messages": plain_messages(messages),
            "tools": plain_tools(tools),
            "add_generation_prompt": add_generation_prompt,
        }
        try:
            with limited(self._limits):
                return self._template.render(context)
        except RushlightError:
            raise
        except Refusal as error:
            raise TemplateError(f"The chat template refuses the conversation: {error.message}") from error
        except SecurityError as error:
            raise TemplateError(f"The chat template was stopped{_line(error)}: {error}") from error
        except Exception as error:  # whatever a stranger's template can bring about
            reason = str(error) or type(error).__name__
            raise TemplateError(f"The chat template fails{_line(error)}: {reason}") from error


def _line(error: Exception) -> str:
    """Where in the template an error came up, if that is known."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>"]
    return f" at line {lines[-1]}" if lines else ""
