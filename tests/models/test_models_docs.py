"""docs/models.md and the README's list are what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from rushlight.gguf.types import GGMLType
from rushlight.models import supported_architectures

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_are_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "generate.py"))
    for path, text in (
        (DOCS / "models.md", made["models_page"]()),
        (made["README"], made["readme_page"]()),
    ):
        assert path.read_text(encoding="utf-8") == text, "run python docs/generate.py"


def test_the_page_lists_everything() -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    assert all(f"### {arch}\n" in page for arch in supported_architectures())
    assert all(f"| {type.name} | {type.value} |" in page for type in GGMLType)
