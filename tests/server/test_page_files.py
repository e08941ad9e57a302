"""The files of the page: what is served, under which headers, and that nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import RunningServer, serving_llm

from rushlight.server import page


@pytest.fixture(scope="module")
def server(tiny: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("package") / "web"
    (folder / "lib").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><p>Hällo", encoding="utf-8")
    (folder / "lib" / "app.js").write_text("run()", encoding="utf-8")
    (folder / ".hidden").write_text("no", encoding="utf-8")
    (folder.parent / "secret.txt").write_text("no", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rushlight.server.page.FOLDER", folder)
        with serving_llm(tiny.llm, api_keys=("key",)) as server:
            yield server


def test_the_page_is_served_with_a_strict_policy(server: RunningServer) -> None:
    page = server.http.get("/")
    assert page.status_code == 200 and page.text.endswith("Hällo")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    script = server.http.get("/web/lib/app.js")
    assert script.text == "run()" and script.headers["content-type"].startswith("text/javascript")
    for answer in (page, script):
        policy = dict(
            part.split(" ", 1)
            for part in answer.headers["content-security-policy"].split("; ")
            if " " in part
        )
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    again = server.http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", [".hidden", "../secret.txt", "..%2fsecret.txt", "lib", ""])
def test_only_the_files_of_the_page_are_served(server: RunningServer, name: str) -> None:
    assert server.http.get(f"/web/{name}", follow_redirects=False).status_code in {401, 404}


def test_the_page_is_what_was_there_when_the_server_started(server: RunningServer) -> None:
    page.FOLDER.joinpath("index.html").write_text("new")
    assert server.http.get("/").text.endswith("Hällo")
