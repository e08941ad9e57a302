"""Chat templates that misbehave are refused, and take neither much time nor memory for it."""

from __future__ import annotations

import threading

import pytest
from helpers.hostile_templates import ATTACKS, BOMBS, UNDEFINED

from rushlight.errors import TemplateError
from rushlight.text import ChatTemplate
from rushlight.text.template_limits import TemplateLimits

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("name", ATTACKS)
def test_escapes_from_the_sandbox_are_refused(name: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(ATTACKS[name]).render(MESSAGES)


@pytest.mark.parametrize("name", UNDEFINED)
def test_internals_are_undefined(name: str) -> None:
    assert ChatTemplate(UNDEFINED[name]).render(MESSAGES) == ""


def test_internals_are_undefined_to_the_attr_filter() -> None:
    assert ChatTemplate("{{ ''|attr('__class__')|attr('__mro__') }}").render(MESSAGES) == ""


@pytest.mark.parametrize("name", BOMBS)
def test_templates_without_bound_are_stopped(name: str) -> None:
    limits = TemplateLimits(max_length=1 << 22, max_total=1 << 25, seconds=0.5)
    with pytest.raises(TemplateError):
        ChatTemplate(BOMBS[name], limits=limits).render(MESSAGES)


def test_limits_are_per_rendering() -> None:
    template = ChatTemplate(
        "{{ 'x' * 900000 }}", limits=TemplateLimits(max_length=1 << 20, max_total=1 << 21)
    )
    for _ in range(5):
        assert len(template.render([])) == 900_000


def test_renderings_in_threads_do_not_share_budgets() -> None:
    template = ChatTemplate("{{ 'x' * n }}", limits=TemplateLimits(max_length=1 << 20, max_total=1 << 21))
    lengths: list[int] = []
    threads = [
        threading.Thread(target=lambda: lengths.append(len(template.render([], n=600_000)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [600_000] * 4
