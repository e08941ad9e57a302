"""Write what loads, from the code: docs/models.md, and the list between its marks in the README.

Run from anywhere: ``python docs/generate.py``. A test holds both files to what this writes.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from rushlight.backends.cpu.layout import LANES, LAYOUTS
from rushlight.gguf.types import BLOCK_SIZES, UNSUPPORTED_TYPE_NAMES, GGMLType
from rushlight.models import module_of, supported_architectures

TARGET = Path(__file__).with_name("models.md")
README = Path(__file__).parent.parent / "README.md"
MARKS = "<!-- models: begin -->\n", "<!-- models: end -->"


def models_page() -> str:
    """The text of docs/models.md."""
    sheets = {arch: _fact_sheet(arch) for arch in supported_architectures()}
    parts = [
        "# What loads",
        "<!-- Written by docs/generate.py; change the code and run it again. -->",
        "A GGUF file loads if its `general.architecture` and all its tensor types are listed here. Every "
        "hyper-parameter and every tensor of the file must be known: one that is not is an error, because "
        "leaving it out could give wrong answers.",
        "Each architecture is compared with llama.cpp, or with transformers where llama.cpp is known to be "
        "wrong, on random models past their windows and original contexts. Most are also compared with "
        "transformers on files from llama.cpp's own converter: [converted.md](converted.md).",
        "## Architectures",
        _table(
            ("`general.architecture`", "models"),
            [(f"[`{arch}`](#{arch})", sheet.splitlines()[0].rstrip(".")) for arch, sheet in sheets.items()],
        ),
        *(f"### {arch}\n\n{sheet}" for arch, sheet in sheets.items()),
        "## Tensor types",
        _table(
            ("type", "number in ggml", "values in a block", "bytes of a block", "bits a weight", "packed"),
            [_type_row(type) for type in GGMLType],
        ),
        "How fast each of them is: [types.md](types.md).",
        "Packed is what the cpu backend keeps in memory and reads for every token, in bits a weight: about "
        "the file's size. Some types grow a little, as scales of 6 bits become bytes, and the eighth of 8 "
        "signs, which the other seven imply, is written out; IQ1_S becomes IQ1_M, IQ2_XS becomes IQ2_S and "
        "TQ1_0 becomes TQ2_0. Nothing is rounded.",
        "Files in NVFP4 may have a factor for a whole matrix, or one for each expert, in a tensor whose name "
        "ends with `.scale`: products are multiplied by it. Those that end with `.input_scale` are for "
        "activations of 4 bits and change nothing here.",
        "Known by name but not supported: " + ", ".join(UNSUPPORTED_TYPE_NAMES.values()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def readme_page() -> str:
    """The README with the list of what loads between its marks."""
    architectures, types = supported_architectures(), [type.name for type in GGMLType]
    text = (
        f"{len(architectures)} architectures: {', '.join(architectures)}.\n\n"
        f"{len(types)} tensor types: {', '.join(types)}.\n"
    )
    between = re.compile(re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1]), re.DOTALL)
    return between.sub(lambda _: MARKS[0] + text + MARKS[1], README.read_text(encoding="utf-8"))


def _fact_sheet(arch: str) -> str:
    module = importlib.import_module(module_of(arch))
    return inspect.cleandoc(module.__doc__ or "")


def _type_row(type: GGMLType) -> tuple[str, ...]:
    block = BLOCK_SIZES[type]
    bits = f"{8 * block.bytes / block.values:g}"
    layout = LAYOUTS[type.name.lower()]
    packed = f"{8 * layout.group_bytes / (LANES * layout.columns):g}"
    return type.name, str(type.value), str(block.values), str(block.bytes), bits, packed


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    TARGET.write_text(models_page(), encoding="utf-8")
    README.write_text(readme_page(), encoding="utf-8")
