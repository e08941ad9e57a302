"""What a GGUF file holds, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rushlight.gguf.file_types import FILE_TYPE_NAMES
from rushlight.gguf.reader import GGUFFile
from rushlight.gguf.strings import StringArray


@dataclass(frozen=True)
class TypeTotal:
    """The tensors of one type: how many, and how many values and bytes they hold together."""

    n_tensors: int
    n_elements: int
    n_bytes: int


@dataclass(frozen=True)
class Summary:
    """A file in a few numbers; a field is None when the file does not say.

    Attributes:
        architecture: ``general.architecture``.
        name: ``general.name``.
        file_type: the name of ``general.file_type``, such as ``Q4_K_M``.
        context_length: tokens the model was trained for.
        n_vocab: tokens in the vocabulary.
        n_params: values in all tensors.
        n_bytes: bytes of all files.
        types: totals by tensor type, the largest first.
    """

    architecture: str | None
    name: str | None
    file_type: str | None
    context_length: int | None
    n_vocab: int | None
    n_params: int
    n_bytes: int
    types: dict[str, TypeTotal]


def summarize(file: GGUFFile) -> Summary:
    """Add up what an open file holds; odd metadata is shown as absent, never an error."""
    metadata = file.metadata
    architecture = _str(metadata.get("general.architecture"))
    file_type = _int(metadata.get("general.file_type"))
    tokens = metadata.get("tokenizer.ggml.tokens")
    totals: dict[str, TypeTotal] = {}
    for tensor in file.tensors.values():
        old = totals.get(tensor.type.name, TypeTotal(0, 0, 0))
        totals[tensor.type.name] = TypeTotal(
            old.n_tensors + 1, old.n_elements + tensor.n_elements, old.n_bytes + tensor.n_bytes
        )
    return Summary(
        architecture=architecture,
        name=_str(metadata.get("general.name")),
        file_type=None if file_type is None else FILE_TYPE_NAMES.get(file_type, f"number {file_type}"),
        context_length=_int(metadata.get(f"{architecture}.context_length")),
        n_vocab=len(tokens) if isinstance(tokens, StringArray) else None,
        n_params=sum(total.n_elements for total in totals.values()),
        n_bytes=file.n_bytes,
        types=dict(sorted(totals.items(), key=lambda item: -item[1].n_bytes)),
    )


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
