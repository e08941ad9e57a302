"""Chat templates: rendered as transformers renders them, and refused when they misbehave."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transformers.utils.chat_template_utils as oracle
from helpers.tiny_vocabularies import spm_metadata

from rushlight.errors import InvalidParameter, TemplateError
from rushlight.text import ChatTemplate, chat_template_for, load_tokenizer
from rushlight.text.default_templates import CHATML

FOLDER = Path(__file__).parents[1] / "data" / "templates"
TEMPLATES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.jinja"))}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The <b>weather</b> & 'more' \"é\"",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
CALL = {
    "id": "abcdef123",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 1}},
}
CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "one": [{"role": "user", "content": "Hi <there> & 'you' é \n"}],
    "system": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": " 2+2? "},
    ],
    "parts": [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}
    ],
    "tools": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "abcdef123", "name": "get_weather", "content": '{"t": 3}'},
        {"role": "user", "content": "Thanks"},
    ],
    "several": [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Two calls.",
            "tool_calls": [CALL, CALL | {"id": "abcdef124"}],
        },
        {"role": "tool", "tool_call_id": "abcdef123", "content": [{"type": "text", "text": "3"}]},
        {"role": "tool", "tool_call_id": "abcdef124", "content": "4"},
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": "Sure?"},
    ],
    "reasoning": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "reasoning_content": "hm", "content": "<think>\nx\n</think>\n\nb"},
        {"role": "user", "content": "c"},
    ],
    "bad order": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "empty": [],
}


def now() -> datetime:
    return datetime(2026, 11, 23, 9, 30)


class FixedClock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return now()


def render(source: str, messages: list[dict[str, Any]] | None = None, **variables: Any) -> str:
    return ChatTemplate(source, SPECIAL, now=now).render(messages or [], **variables)


@pytest.mark.parametrize("with_tools", [False, True], ids=["plain", "tools"])
@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("name", [*TEMPLATES, "default chatml"])
def test_text_is_that_of_transformers(
    name: str, conversation: str, with_tools: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "datetime", FixedClock)
    source, messages = TEMPLATES.get(name, CHATML), CONVERSATIONS[conversation]
    tools = [WEATHER] if with_tools else None
    template = ChatTemplate(source, SPECIAL, now=now)
    for variables in ({}, {"enable_thinking": False}, {"documents": [{"title": "T", "text": "x"}]}):
        for prompt in (False, True):
            try:
                want = oracle.render_jinja_template(
                    [messages],
                    tools,
                    chat_template=source,
                    add_generation_prompt=prompt,
                    **SPECIAL,
                    **variables,
                )[0][0]
            except Exception:
                with pytest.raises(TemplateError):
                    template.render(messages, tools, prompt, **variables)
            else:
                assert template.render(messages, tools, prompt, **variables) == want


@pytest.mark.parametrize(
    "source",
    [
        "{{ {'b': '<é>', 'a': [1, 2.5, true, none]} | tojson }}",
        "{{ {'b': 1, 'a': 2} | tojson(indent=2, sort_keys=true) }}|{{ 'é' | tojson(ensure_ascii=true) }}",
        "{{ [1, 2] | tojson(separators=(',', ':')) }}",
        "{% for i in range(5) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
        "{% for i in [] %}x{% else %}none{% endfor %}",
        "{% for i in [3, 4] %}{{ loop.index }}/{{ loop.length }}{{ loop.last }}{% endfor %}",
        "{% for i in [3, 4] | map('string') %}{{ loop.length }}{{ i }}{% endfor %}",
        "{% for i in undefined_thing %}x{% endfor %}{% for i in none %}x{% endfor %}",
        "{% for k, v in {'a': 1}.items() %}{{ k ~ v ~ none ~ 1.5 }}{% endfor %}",
        "{% for i in [1, [2]] recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}",
        "a\n  {% if true %}\n  b\n  {% endif %}\n c\n",
        "{% generation %}said{% endgeneration %} after",
        "{{ strftime_now('%d %b %Y') }}",
        "{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}",
        "{{ dict(a=1) }}{{ dict.fromkeys(['x'], 2) }}",
        "{{ 'a' * 3 + 'b' }}{{ '%s-%d' % ('x', 3) }}{{ '{:>5}'.format('r') }}{{ 2 ** 10 }}{{ 7 % 3 }}",
        "{{ 'a,b'.split(',') | join('+') }}{{ ['x', 'y'] | map('upper') | list }}{{ '-'.join(['p', 'q']) }}",
        "{{ 'text' | center(10) }}|{{ 'a\nb' | indent(2) }}|{{ 'aXa' | replace('X', 'yy') }}|",
        "{{ 'a'.ljust(3) }}|{{ 'a'.zfill(3) }}|{{ '{a}'.format_map({'a': 1}) }}|{{ '%5.1f' | format(2.25) }}",
        "{{ [3, 1, 2] | sort | batch(2) | list }}{{ [1, 2] | sum }}{{ 2.567 | round(1) }}",
        "{{ [1, 2, 3] | batch(linecount=2) | list }}{{ [1, 2, 3] | slice(slices=2, fill_with=0) | list }}",
        "{{ 'ab' | center(width=5) }}{{ 'a\nb' | indent(width=1, first=true) }}",
        "{{ 'a b' | wordwrap(width=1) }}{{ 'aa' | replace('a', 'b', count=1) }}",
        "{{ [1, 2] | join(d='-') }}{{ 2.5 | round(method='ceil', precision=0) }}",
        "{{ [{'n': 1}, {'n': 2}] | sum(attribute='n') }}{{ 'long text' | truncate(length=4, leeway=0) }}",
        "{{ undefined_thing }}{{ undefined_thing.attribute }}",
        "{{ raise_exception('no') }}",
        "{{ messages[0].content.title() }}{{ '<&>' | e }}",
        "{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m('a') }}{% call m('b') %}{% endcall %}{{ none }}",
        "{{ [1, {'a': 'é'}] }}{{ ('x',) }}",
    ],
)
def test_helpers_and_settings_are_those_of_transformers(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "datetime", FixedClock)
    messages = [{"role": "user", "content": "hi you"}]
    try:
        want = oracle.render_jinja_template([messages], chat_template=source)[0][0]
    except Exception:
        with pytest.raises(TemplateError):
            ChatTemplate(source, now=now).render(messages)
    else:
        assert ChatTemplate(source, now=now).render(messages) == want


def test_a_refusal_says_what_the_template_says() -> None:
    with pytest.raises(TemplateError, match=r"refuses the conversation: Roles must alternate"):
        render("{{ raise_exception('Roles must alternate') }}")


def test_a_failure_says_where_and_why() -> None:
    with pytest.raises(TemplateError, match=r"fails at line 3: .*int.*str"):
        render("a\nb\n{{ 1 + 'x' }}")


def test_a_template_that_cannot_be_read_says_where() -> None:
    with pytest.raises(TemplateError, match="cannot be read, line 2: "):
        ChatTemplate("a\n{% if %}")
    with pytest.raises(TemplateError, match="cannot be read"):
        ChatTemplate("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")


@pytest.mark.parametrize("message", ["hi", {"content": "x"}, {"role": 3}, None])
def test_a_message_that_is_no_message_is_named(message: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"Message 1 is .* a dict with a role"):
        render("x", [{"role": "user", "content": ""}, message])


def test_a_tool_that_is_no_dict_is_named() -> None:
    with pytest.raises(InvalidParameter, match="Tool 0 is 'f'"):
        render("x", tools=["f"])


def test_templates_see_plain_data_only() -> None:
    class Role(str, Enum):
        USER = "user"

    class Secret:
        content = "leak"

    message = {"role": Role.USER, "content": [Secret(), b"x", 3]}
    assert render(
        "{{ messages[0].role }} {{ messages[0].content }} {{ extra.content }}", [message], extra=Secret()
    ) == ("user ['<Secret>', '<bytes>', 3] ")


def test_messages_are_left_as_they_were() -> None:
    message = {"role": "assistant", "reasoning": "r", "content": "c"}
    assert render("{{ messages[0].reasoning_content }}{{ messages[0].thinking }}", [message]) == "rr"
    assert message == {"role": "assistant", "reasoning": "r", "content": "c"}


def test_variables_come_before_special_tokens() -> None:
    assert render("{{ bos_token }}{{ x }}", bos_token="<b>", x=1) == "<b>1"


def model(**templates: str) -> Any:
    metadata = spm_metadata({}, bos_token_id=1, eos_token_id=2) | {
        "tokenizer.chat_template" + ("" if name == "default" else f".{name}"): source
        for name, source in templates.items()
    }
    return load_tokenizer(SimpleNamespace(metadata=metadata))


def test_the_models_own_template_is_taken() -> None:
    template = chat_template_for(model(default="{{ bos_token }}{{ strftime_now('%Y') }}", tool_use="T"), now)
    assert (template.render([]), template.is_fallback) == ("<s>2026", False)
    assert chat_template_for(model(default="D", tool_use="T"), name="tool_use").render([]) == "T"
    assert chat_template_for(model(default="D"), name="tool_use").render([]) == "D"


def test_a_model_without_a_template_gets_the_fallback() -> None:
    template = chat_template_for(model())
    assert template.is_fallback
    assert template.render([{"role": "user", "content": "Hi"}]) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_may_be_a_name() -> None:
    template = chat_template_for(model(default="rwkv-world"))
    assert not template.is_fallback
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": " Hi\n"}]},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Why?"},
    ]
    assert template.render(messages) == (
        "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Why?\n\nAssistant:"
    )
