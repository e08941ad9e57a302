"""docs/server.md is what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from rushlight.server.endpoints import ENDPOINTS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "generate_server.py"))["server_page"]()
    assert (DOCS / "server.md").read_text(encoding="utf-8") == page, "run python docs/generate_server.py"


def test_the_page_tells_of_every_field() -> None:
    page = (DOCS / "server.md").read_text(encoding="utf-8")
    for endpoint in ENDPOINTS:
        for field in endpoint.body.fields if endpoint.body else ():
            assert f"`{field.name}`" in page
            assert field.about, f"{endpoint.path} says nothing of {field.name}"
