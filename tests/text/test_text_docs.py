"""docs/text.md is what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from rushlight.text.kinds import KINDS
from rushlight.text.pre_tokenizers import PRE_TOKENIZERS
from rushlight.text.tool_formats import TOOL_FORMATS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "generate_text.py"))["text_page"]()
    assert (DOCS / "text.md").read_text(encoding="utf-8") == page, "run python docs/generate_text.py"


def test_the_page_lists_everything() -> None:
    page = (DOCS / "text.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in page for kind in KINDS)
    assert all(f"`{name}`" in page for name in PRE_TOKENIZERS)
    assert all(f"| {form.name} |" in page for form in TOOL_FORMATS)
