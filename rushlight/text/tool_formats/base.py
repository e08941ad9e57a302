"""What the formats of tool calls have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from rushlight.text.tool_formats.writing import CallWriting

Schemas = Mapping[str, Mapping[str, Any]]
"""The JSON schema of each argument, by name, of each tool by its name."""


class Call(NamedTuple):
    """One call as a model wrote it.

    Attributes:
        name: of the function.
        arguments: by name.
        id: the one that the model gave it, or None.
    """

    name: str
    arguments: dict[str, Any]
    id: str | None = None


@dataclass(frozen=True)
class ToolFormat:
    """How a family of models writes tool calls.

    Attributes:
        name: of the format.
        models: whose it is.
        template: what a chat template of these models contains: all of these texts.
        begins: a block of calls begins with one of these.
        ends: it ends with one of these; none: with the answer or before the next block.
        parse: the calls of a block, begin and end included; raises ValueError where it is malformed.
        starts: what a block may begin with at the beginning of an answer only.
        tokens: texts of special tokens inside of a block, beside `begins` and `ends`.
        heads: what stands before arguments that are JSON objects, see `rushlight.text.call_stream`; none: the
            calls come as a whole.
        writing: how calls are written, for grammars of them.
    """

    name: str
    models: str
    template: tuple[str, ...]
    begins: tuple[str, ...]
    ends: tuple[str, ...]
    parse: Callable[[str, Schemas], list[Call]]
    starts: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    heads: tuple[re.Pattern[str], ...] = ()
    writing: CallWriting | None = None

    def calls(self, block: str, schemas: Schemas) -> list[Call] | None:
        """The calls of a block, None where it is malformed or holds none."""
        try:
            return self.parse(block, schemas) or None
        except (ValueError, RecursionError):
            return None


def between(block: str, begin: str, end: str) -> str:
    """What stands between a beginning and an end, without white space around it.

    Raises:
        ValueError: the text does not begin and end so.
    """
    if not block.startswith(begin) or not block.endswith(end):
        raise ValueError(f"{begin} ... {end} was expected")
    return block[len(begin) : len(block) - len(end)].strip()


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError where it is none."""
    return JSON.decode(text)


def json_call(value: Any) -> Call:
    """The call that an object with a name and arguments describes.

    Raises:
        ValueError: it describes none.
    """
    if not isinstance(value, dict):
        raise ValueError("an object was expected")
    inner = value.get("function")
    value = {**value, **inner} if isinstance(inner, dict) else value
    name = value.get("name", value.get("tool_name"))
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = read_json(arguments)
    id = value.get("id", value.get("tool_call_id"))
    return checked_call(name, arguments, id)


def checked_call(name: Any, arguments: Any, id: Any = None) -> Call:
    """A call of these parts.

    Raises:
        ValueError: the name is no text or empty, or the arguments are no object.
    """
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise ValueError("a name and an object of arguments were expected")
    return Call(name, arguments, id if isinstance(id, str) and id else None)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


JSON = json.JSONDecoder(parse_constant=_refuse)


_OBJECT_HEAD = (
    r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?(?:"(?:tool_call_)?id"\s*:\s*"(?P<id>[^"\\]*)"\s*,\s*)?'
    r'"(?:tool_)?name"\s*:\s*"(?P<name>[^"\\]+)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)'
)


def json_head(*begins: str) -> re.Pattern[str]:
    """What stands before the arguments of calls that are objects of JSON, alone or in a list.

    Args:
        begins: what the block begins with.
    """
    begin = "|".join(map(re.escape, begins))
    return re.compile(rf"(?:(?:{begin})\s*\[?\s*|[^{{}}\[\]]*\}}\s*[,;]?\s*){_OBJECT_HEAD}")
