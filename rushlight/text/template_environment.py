"""The Jinja environment of chat templates: transformers' settings and helpers, inside a sandbox with limits.

Settings and helpers are those of ``transformers.utils.chat_template_utils``
(https://github.com/huggingface/transformers): ``trim_blocks``, ``lstrip_blocks``, loop controls, the
``generation`` block, ``raise_exception``, ``strftime_now``, a ``tojson`` that escapes no HTML, and a ``dict``
and ``namespace`` that hide Python's internals. ``lipsum`` is left out, because it makes text without bound.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from inspect import isgenerator
from typing import Any

import jinja2.ext
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_eval_context

from rushlight.text.template_filters import FILTER_CHECKS, METHOD_CHECKS
from rushlight.text.template_limits import Ticking, budget, check_binary, check_format, check_written


class Refusal(TemplateRuntimeError):
    """The template called ``raise_exception``."""


class GenerationBlock(jinja2.ext.Extension):
    """``{% generation %} ... {% endgeneration %}`` marks the model's own words, shown as they are."""

    tags = {"generation"}  # noqa: RUF012  # jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        """Read the block."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_show"), [], [], body).set_lineno(line)

    @pass_eval_context
    def _show(self, context: nodes.EvalContext, caller: Macro) -> str:
        return str(caller())


class TemplateDict:
    """The ``dict`` of templates, without the attributes of the class."""

    def __call__(self, *args: Any, **items: Any) -> dict[Any, Any]:
        """A dict."""
        return dict(*args, **items)

    def fromkeys(self, keys: Iterable[Any], value: Any = None) -> dict[Any, Any]:
        """A dict with one value for all keys."""
        return dict.fromkeys(keys, value)


class TemplateNamespace(Namespace):
    """The ``namespace`` of templates, which takes no names that begin with an underscore."""

    def __init__(*args: Any, **items: Any) -> None:
        # No named parameters, so that a template can say ``namespace(self=...)``.
        attributes = dict(*args[1:], **items)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(args[0], attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)

    def __repr__(self) -> str:
        return "<Namespace>"


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot hold {name!r}, whose name begins with an underscore")


class _LimitedCodeGenerator(CodeGenerator):
    """Generates code that passes loops and ``~`` through the environment."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        node.iter = nodes.Call(nodes.EnvironmentAttribute("ticking"), [node.iter], [], None, None)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.join_written((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox that also refuses to run without end or to fill the memory.

    Args:
        now: the time that ``strftime_now`` tells.
    """

    code_generator_class = _LimitedCodeGenerator
    intercepted_binops = frozenset(("+", "*", "**", "%"))
    ticking = Ticking

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[GenerationBlock, jinja2.ext.loopcontrols],
            finalize=_finalize,
        )

        def strftime_now(format: str) -> str:
            check_format(format, "%", ())
            return now().strftime(format)

        self.filters["tojson"] = to_json
        self.filters = {name: _limited_filter(name, filter) for name, filter in self.filters.items()}
        self.globals.update(
            raise_exception=_raise_exception,
            strftime_now=strftime_now,
            dict=TemplateDict(),
            namespace=TemplateNamespace,
        )
        del self.globals["lipsum"]

    def concat(self, parts: Iterable[str]) -> str:
        """Join rendered parts, as far as the limits allow."""
        texts, length, current = [], 0, budget()
        for part in parts:
            length += len(part)
            current.charge(len(part))
            current.check_length(length)
            texts.append(part)
        return "".join(texts)

    def join_written(self, parts: Iterable[Any]) -> str:
        """Join the texts of values: the operator ``~``."""
        values = list(parts)
        check_written(values)
        return self.concat(map(str, values))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator, unless its result would be too large."""
        check_binary(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call something from a template, unless its result would be too large."""
        budget().tick()
        method = getattr(__obj, "__wrapped__", __obj)  # the sandbox wraps str.format
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(owner, str) and name in METHOD_CHECKS:
            args = tuple(list(arg) if isgenerator(arg) else arg for arg in args)
            METHOD_CHECKS[name](owner, *args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def _finalize(value: Any) -> Any:
    check_written((value,))
    return value


def _raise_exception(message: str) -> None:
    raise Refusal(message)


def to_json(
    x: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """The ``tojson`` filter of transformers: plain `json.dumps`, without Jinja's escaping of HTML."""
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _limited_filter(name: str, filter: Callable[..., Any]) -> Callable[..., Any]:
    check = FILTER_CHECKS.get(name)
    n_context = 1 if hasattr(filter, "jinja_pass_arg") else 0

    @wraps(filter)
    def limited(*args: Any, **kwargs: Any) -> Any:
        budget().tick()
        if check is not None:
            args = tuple(list(arg) if isgenerator(arg) else arg for arg in args)
            check(*args[n_context:], **kwargs)
        return filter(*args, **kwargs)

    return limited
