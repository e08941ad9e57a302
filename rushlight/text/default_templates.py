"""A stand-in for models that come without a chat template, and those that files name instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rushlight.text.template import ChatTemplate
from rushlight.text.tokenizer import Tokenizer

# ChatML (https://github.com/openai/openai-python/blob/v0.28.1/chatml.md): each message between <|im_start|>
# with its role and <|im_end|>. The most copied format, and the one llama.cpp falls back to.
CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string -%}
{{ message['content'] }}
{%- else -%}
{%- for part in message['content'] if part['type'] == 'text' -%}
{{ part['text'] }}
{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""

# Of RWKV's "World" models (https://huggingface.co/BlinkDL/rwkv-7-world); a message ends with an empty line.
_RWKV_WORLD = """\
{%- for message in messages -%}
{%- if message['content'] is string -%}
{%- set text = message['content'] -%}
{%- else -%}
{%- set text = message['content']|selectattr('type', 'equalto', 'text')|map(attribute='text')|join -%}
{%- endif -%}
{{- {'user': 'User', 'system': 'System'}.get(message['role'], 'Assistant') + ': ' + text|trim + '\\n\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- 'Assistant:' -}}
{%- endif -%}
"""

DEFAULT_TEMPLATES: dict[str, str] = {"chatml": CHATML}

NAMED_TEMPLATES: dict[str, str] = {"rwkv-world": _RWKV_WORLD}
"""Those for which llama.cpp's converter wrote a name in the template's place."""


def chat_template_for(
    tokenizer: Tokenizer,
    now: Callable[[], datetime] = datetime.now,
    name: str = "default",
    fallback: str = "chatml",
) -> ChatTemplate:
    """The chat template of a model.

    Args:
        tokenizer: of the model.
        now: the time that the template's ``strftime_now`` tells.
        name: which of the model's templates; ``"default"`` is the plain one.
        fallback: which of `DEFAULT_TEMPLATES` stands in where the model has none.

    Returns:
        The template; its `is_fallback` says whether it is the stand-in, which a model may not understand.

    Raises:
        TemplateError: the template cannot be read.
    """
    source = tokenizer.chat_templates.get(name, tokenizer.chat_template)
    if source is None:
        return ChatTemplate(DEFAULT_TEMPLATES[fallback], tokenizer.special_tokens, now, is_fallback=True)
    return ChatTemplate(NAMED_TEMPLATES.get(source.strip(), source), tokenizer.special_tokens, now)
