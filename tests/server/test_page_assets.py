"""The files of the chat page: where they come from, and what they may hold."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from rushlight.server.page import HEADERS

WEB = Path(__file__).parents[2] / "rushlight" / "server" / "web"
VENDOR = WEB / "vendor"
RECORD = json.loads((VENDOR / "vendored.json").read_text(encoding="utf-8"))
SCRIPTS = sorted((WEB / "js").glob("*.js"))
INDEX = (WEB / "index.html").read_text(encoding="utf-8")


def test_vendored_files_are_those_of_the_record() -> None:
    recorded = {path: digest for package in RECORD for path, digest in package["sha256"].items()}
    there = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendored.json"
    }
    assert there == recorded


@pytest.mark.parametrize("package", RECORD, ids=lambda package: package["name"])
def test_vendored_packages_tell_version_licence_and_source(package: dict[str, str]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert package["licence"] in {"MIT", "BSD-3-Clause"}
    assert package["integrity"].startswith("sha512-")
    assert any(path.endswith("/LICENSE") for path in package["sha256"])
    docs = (WEB.parents[2] / "docs" / "page.md").read_text(encoding="utf-8")
    assert f"`{package['name']}` {package['version']} ({package['licence']})" in docs


def test_the_languages_that_are_named_are_there() -> None:
    named = re.findall(r"^  (\w+): \{ label", (WEB / "js" / "languages.js").read_text(encoding="utf-8"), re.M)
    assert sorted(named) == sorted(path.stem for path in (VENDOR / "highlight" / "languages").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_makes_no_markup_and_imports_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
    assert not re.search(rf"{forbidden}|createContextualFragment|https?://(?!www\.w3\.org/)", text)
    for name in re.findall(r'from "(\.{1,2}/[^"]+)"', text):
        assert (path.parent / name).resolve().is_file(), name
    assert 5 <= text.count("\n") <= 250
    assert text.startswith("// ")


def test_the_index_holds_nothing_that_its_policy_forbids() -> None:
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", INDEX)
    assert re.findall(r"<script[^>]*>", INDEX) == [
        '<script type="module" src="web/js/main.js" blocking="render">'
    ]
    for name in re.findall(r'(?:href|src)="(web/[^"]+)"', INDEX):
        assert (WEB / name.removeprefix("web/")).is_file(), name


def test_the_index_preloads_every_script() -> None:
    preloaded = re.findall(r'rel="modulepreload" href="web/js/([^"]+)"', INDEX)
    assert sorted([*preloaded, "main.js"]) == [path.name for path in SCRIPTS]


def test_ids_that_scripts_ask_for_are_there_once() -> None:
    ids = re.findall(r'\sid="([^"]+)"', INDEX)
    assert len(ids) == len(set(ids))
    asked = {name for path in SCRIPTS for name in re.findall(r'byId\("([^"]+)"\)', path.read_text("utf-8"))}
    assert asked <= set(ids)
    icons = {
        name
        for path in SCRIPTS
        for name in re.findall(r'[iI]con(?:Button)?\("([\w]+)"', path.read_text("utf-8"))
    }
    assert {f"icon-{name}" for name in icons} <= set(ids)
