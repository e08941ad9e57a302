"""Fields of requests: one table checks a request, describes it for OpenAPI and documents it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from rushlight.hub.near import did_you_mean
from rushlight.server.errors import bad_field
from rushlight.server.kinds import Anything, Kind, wrong

Status = Literal["supported", "ignored", "refused"]


class Field(NamedTuple):
    """A field of an object.

    Attributes:
        name: in JSON.
        kind: of its values; null means that it is not given.
        about: what it does; of a refused one why, of an ignored one why that does no harm.
        status: an ignored field may hold anything, a refused one only null.
        required: an object without it is refused.
    """

    name: str
    kind: Kind
    about: str = ""
    status: Status = "supported"
    required: bool = False


def ignored(name: str, about: str) -> Field:
    """A field that clients send and that changes nothing here."""
    return Field(name, Anything(), about, "ignored")


def refused(name: str, about: str) -> Field:
    """A field that other servers know and that is an error here."""
    return Field(name, Anything(), about, "refused")


@dataclass(frozen=True)
class Object:
    """An object with known fields. Ignored fields and nulls are left out of what `check` gives."""

    fields: tuple[Field, ...]
    name: str = ""

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong(where or "the body", value, "an object")
        known = {each.name: each for each in self.fields}
        found = {}
        for name, item in value.items():
            path = f"{where}.{name}" if where else name
            if name not in known:
                raise bad_field(
                    path, f"Unknown field {path:.200}{did_you_mean(name[:100], known)}.", "unknown_field"
                )
            if item is None or known[name].status == "ignored":
                continue
            if known[name].status == "refused":
                raise bad_field(path, f"{path} is not supported: {known[name].about}", "unsupported_field")
            found[name] = known[name].kind.check(item, path)
        for each in self.fields:
            if each.required and each.name not in found:
                path = f"{where}.{each.name}" if where else each.name
                raise bad_field(path, f"{path} is missing.", "missing_field")
        return found

    def schema(self) -> dict[str, Any]:
        required = [each.name for each in self.fields if each.required]
        return {
            "type": "object",
            "properties": {each.name: _field_schema(each) for each in self.fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Tagged:
    """One of several objects, told apart by one of their fields.

    Attributes:
        tag: the name of that field.
        kinds: the objects by its value.
        refused: values that other servers know, with the reason why they are an error here.
        default: the value where the field is missing; None: it is required.
    """

    tag: str
    kinds: Mapping[str, Object]
    refused: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong(where, value, "an object")
        tag, path = value.get(self.tag, self.default), f"{where}.{self.tag}"
        if isinstance(tag, str) and tag in self.refused:
            raise bad_field(
                path, f'{where} is of {self.tag} "{tag}": {self.refused[tag]}', "unsupported_value"
            )
        if not isinstance(tag, str) or tag not in self.kinds:
            raise wrong(path, tag, " or ".join(f'"{known}"' for known in self.kinds))
        return self.kinds[tag].check({**value, self.tag: tag}, where)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in self.kinds.values()]}


def _field_schema(each: Field) -> dict[str, Any]:
    if each.status == "refused":
        return {"type": "null", "description": f"Refused: {each.about}"}
    about = f"Ignored: {each.about}" if each.status == "ignored" else each.about
    described = {"description": about} if about else {}
    schema = each.kind.schema()
    if each.required or not schema:
        return {**schema, **described}
    return {"anyOf": [schema, {"type": "null"}], **described}
