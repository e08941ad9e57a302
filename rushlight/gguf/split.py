"""Models split over several files: ``name-00001-of-00003.gguf`` and its siblings.

Source: llama.cpp's ``gguf-split`` tool, which writes the keys ``split.no`` (from 0), ``split.count`` (0 or 1
for a whole model) and ``split.tensors.count`` (tensors of all parts), and every other key into the first part
only.
"""

from __future__ import annotations

import re
from pathlib import Path

from rushlight.errors import InvalidFile
from rushlight.gguf.part import Part, open_part

_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


def open_parts(path: Path) -> list[Part]:
    """Open every part of the model that `path` belongs to, in order, the first part first.

    Raises:
        ModelNotFound: `path` or one of its siblings does not exist.
        InvalidFile: a part is damaged, or the parts do not belong together.
        UnsupportedTensorType: a tensor has a type that this version does not read.
    """
    named = open_part(path)
    count = _split_value(named, "split.count", 0)
    if count <= 1:
        return [named]
    match = _NAME.fullmatch(path.name)
    if match is None or int(match["count"]) != count:
        raise InvalidFile(
            f"{path} is part of a model split over {count} files, but its name does not say so; expected a "
            f"name that ends in -00001-of-{count:05d}.gguf, keep the names that the files came with."
        )
    paths = [path.with_name(f"{match['stem']}-{i + 1:05d}-of-{count:05d}.gguf") for i in range(count)]
    parts = [named if sibling == path else open_part(sibling) for sibling in paths]
    _check_parts(parts)
    return parts


def _check_parts(parts: list[Part]) -> None:
    for i, part in enumerate(parts):
        if _split_value(part, "split.count") != len(parts) or _split_value(part, "split.no") != i:
            number, count = _split_value(part, "split.no") + 1, _split_value(part, "split.count")
            raise InvalidFile(
                f"{part.path} says it is part {number} of {count}; expected part {i + 1} of {len(parts)}, "
                "download it again."
            )
    homes: dict[str, Path] = {}
    for part in parts:
        for tensor in part.tensors:
            if tensor.name in homes:
                raise InvalidFile(f"Tensor {tensor.name!r} is in both {homes[tensor.name]} and {part.path}.")
            homes[tensor.name] = part.path
    promised = _split_value(parts[0], "split.tensors.count", len(homes))
    if promised != len(homes):
        raise InvalidFile(
            f"{parts[0].path} promises {promised} tensors over {len(parts)} files, which hold {len(homes)}; "
            "the files do not belong together, download them again."
        )


def _split_value(part: Part, key: str, default: int | None = None) -> int:
    value = part.header.metadata.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        found = "missing" if value is None else repr(value)
        raise InvalidFile(f"{part.path}: {key} is {found}; expected a count.")
    return value
