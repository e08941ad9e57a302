"""Write docs/models.md from the code: the architectures and tensor types that load.

Run from anywhere: ``python docs/generate.py``. A test holds the file to what this writes.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from rushlight.gguf.types import BLOCK_SIZES, UNSUPPORTED_TYPE_NAMES, GGMLType
from rushlight.models import module_of, supported_architectures

TARGET = Path(__file__).with_name("models.md")


def models_page() -> str:
    """The text of docs/models.md."""
    sheets = {arch: _fact_sheet(arch) for arch in supported_architectures()}
    parts = [
        "# What loads",
        "<!-- Written by docs/generate.py; change the code and run it again. -->",
        "A GGUF file loads if its `general.architecture` and all its tensor types are listed here. Every "
        "hyper-parameter and every tensor of the file must be known: one that is not is an error, because "
        "leaving it out could give wrong answers.",
        "## Architectures",
        _table(
            ("`general.architecture`", "models"),
            [(f"[`{arch}`](#{arch})", sheet.splitlines()[0].rstrip(".")) for arch, sheet in sheets.items()],
        ),
        *(f"### {arch}\n\n{sheet}" for arch, sheet in sheets.items()),
        "## Tensor types",
        _table(
            ("type", "number in ggml", "values in a block", "bytes of a block", "bits a weight"),
            [_type_row(type) for type in GGMLType],
        ),
        "Known by name but not supported: " + ", ".join(UNSUPPORTED_TYPE_NAMES.values()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _fact_sheet(arch: str) -> str:
    module = importlib.import_module(module_of(arch))
    return inspect.cleandoc(module.__doc__ or "")


def _type_row(type: GGMLType) -> tuple[str, ...]:
    block = BLOCK_SIZES[type]
    bits = f"{8 * block.bytes / block.values:g}"
    return type.name, str(type.value), str(block.values), str(block.bytes), bits


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    TARGET.write_text(models_page(), encoding="utf-8")
