"""Imports point one way, and what is heavy is imported late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rushlight"

# Rooms from the bottom up: a module may import from its own room and from those listed for it.
ROOMS: dict[str, set[str]] = {
    "digest": set(),
    "errors": set(),
    "paths": set(),
    "progress": set(),
    "portable_math": set(),
    "row_math": {"portable_math"},
    "drawing": {"portable_math", "row_math"},
    "params": {"errors"},
    "gguf": {"errors"},
    "quants": {"errors", "gguf"},
    "text": {"errors", "gguf"},
    "constrain": {"errors", "params", "text"},
    "sampling": {"drawing", "errors", "params", "portable_math", "row_math"},
    "hub": {"errors", "gguf", "paths", "progress"},
    "backends": {"drawing", "errors", "gguf", "paths", "portable_math", "quants", "row_math"},
    "models": {"errors", "gguf", "portable_math", "quants", "backends"},
    "engine": {"drawing", "errors", "params", "row_math", "sampling", "backends"},
}
LLM_ROOM = {
    *("llm", "loading", "answer", "completion", "conversation", "prompts"),
    *("constraints", "requests", "rows", "tool_choice"),
}
TOP = {"cli", "server", "bench", "perplexity", "__main__", "__init__", "llm_plugin"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").parts[0]
        yield name, path


def imported_rooms(path: Path) -> set[str]:
    """Rooms of rushlight that a module imports, lazily or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names if name.split(".")[0] == "rushlight"]
    return {part[1] for part in parts if len(part) > 1 and part[1] != "__version__"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_below_only(room: str) -> None:
    paths = [path for name, path in modules() if name == room]
    assert paths
    for path in paths:
        assert imported_rooms(path) - {room} <= ROOMS[room], path


def test_every_module_has_a_place() -> None:
    assert {name for name, _ in modules()} == {*ROOMS, *LLM_ROOM, *TOP}


def test_nothing_below_imports_the_llm_or_the_command_line() -> None:
    for name, path in modules():
        if name not in TOP:
            allowed = LLM_ROOM if name in LLM_ROOM else set()
            assert imported_rooms(path) & {*LLM_ROOM, *TOP} <= allowed, path


def test_the_server_needs_no_command_line() -> None:
    for name, path in modules():
        if name == "server":
            assert not imported_rooms(path) & {"cli", "bench", "perplexity"}, path


def test_no_architecture_is_named_outside_its_own_file() -> None:
    names = {path.stem for path in (PACKAGE / "models").glob("*.py")}
    found = {"llama", "phi3", "gemma3", "qwen2", "qwen3", "phi2"}
    assert found <= names
    for name, path in modules():
        if name in {"text", "hub"}:  # tokenizer models and aliases bear the same names
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not words & found, f"{path}:{node.lineno}"


def modules_after(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import rushlight", "import rushlight.cli", "import rushlight.errors", "import rushlight.cli.serve"],
)
def test_an_import_alone_brings_nothing_heavy_in(code: str) -> None:
    heavy = {"numpy", "numba", "llvmlite", "tokenizers", "jinja2", "huggingface_hub"}
    heavy |= {"prompt_toolkit", "rich", "llguidance"}
    assert not heavy & modules_after(code)


@pytest.mark.parametrize(
    "code", ["import rushlight.llm", "import rushlight.cli.run", "import rushlight.cli.serve"]
)
def test_nothing_of_the_server_is_brought_in_before_it_serves(code: str) -> None:
    assert not {"starlette", "uvicorn", "prometheus_client", "asyncio"} & modules_after(code)


def test_the_parts_that_stand_alone_do() -> None:
    assert not {"numba", "llvmlite", "tokenizers", "jinja2"} & modules_after(
        "import rushlight.gguf, rushlight.quants"
    )
    assert not {"numba", "jinja2", "huggingface_hub", "llguidance"} & modules_after("import rushlight.llm")
