"""The real `huggingface_hub`, against a Hub on this machine."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_hub import FakeHub
from huggingface_hub import hf_hub_download

from rushlight.errors import (
    AmbiguousModel,
    CorruptDownload,
    GatedModel,
    ModelNotFound,
    NetworkUnavailable,
)
from rushlight.hub import list_models, remove, resolve

BODY = b"GGUF" + bytes(range(256)) * 40
OTHER = b"GGUF" + bytes(range(255, -1, -1)) * 40


def test_a_file_is_downloaded_into_the_standard_cache(hub: FakeHub, hf_home: Path) -> None:
    commit = hub.repo("org/model", {"model-q4.gguf": BODY}).refs["main"]
    model = resolve("org/model/model-q4.gguf")
    assert model.path.read_bytes() == BODY
    assert (model.source, model.revision, model.size) == ("huggingface", commit, len(BODY))
    expected = hf_home / "hub" / "models--org--model" / "snapshots" / commit / "model-q4.gguf"
    assert model.path == expected
    assert (hf_home / "hub" / "models--org--model" / "refs" / "main").read_text() == commit


def test_the_default_model_is_found(hub: FakeHub) -> None:
    name = "microsoft/Phi-3-mini-4k-instruct-gguf"
    hub.repo(name, {"Phi-3-mini-4k-instruct-q4.gguf": BODY, "Phi-3-mini-4k-instruct-fp16.gguf": OTHER})
    assert resolve("phi3").path.read_bytes() == BODY
    assert resolve(name).path.read_bytes() == BODY


def test_a_second_time_asks_nobody(hub: FakeHub) -> None:
    hub.repo("org/model", {"model.Q4_K_M.gguf": BODY, "README.md": b"x"})
    for reference in ("org/model/model.Q4_K_M.gguf", "org/model", "org/model:q4_k_m"):
        first = resolve(reference)
        hub.requests.clear()
        assert resolve(reference) == first
        assert hub.requests == []


def test_without_a_file_name_the_best_fit_is_chosen(hub: FakeHub) -> None:
    hub.repo("org/model", {"m.Q8_0.gguf": OTHER, "m.Q4_K_M.gguf": BODY, "mmproj-f16.gguf": b"GGUFx"})
    assert resolve("org/model").path.name == "m.Q4_K_M.gguf"
    assert resolve("org/model:Q8_0").path.name == "m.Q8_0.gguf"


def test_what_the_cache_holds_does_not_hide_a_better_fit(hub: FakeHub) -> None:
    hub.repo("org/model", {"m.Q8_0.gguf": OTHER, "m.Q5_0.gguf": b"GGUF5", "m.Q4_K_M.gguf": BODY})
    resolve("org/model/m.Q8_0.gguf")
    resolve("org/model/m.Q5_0.gguf")
    assert resolve("org/model").path.name == "m.Q4_K_M.gguf"


def test_an_ambiguous_repo_lists_its_files(hub: FakeHub) -> None:
    hub.repo("org/model", {"small.Q4_K_M.gguf": BODY, "large.Q4_K_M.gguf": OTHER})
    with pytest.raises(AmbiguousModel, match=r"large\.Q4_K_M\.gguf, small\.Q4_K_M\.gguf"):
        resolve("org/model")


def test_revisions_lead_to_their_commits(hub: FakeHub) -> None:
    repo = hub.repo("org/model", {"m.gguf": BODY})
    commit = repo.commit("v2", {"m.gguf": OTHER})
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY
    assert resolve("org/model/m.gguf@v2").path.read_bytes() == OTHER
    assert resolve(f"org/model@{commit}").path.read_bytes() == OTHER
    with pytest.raises(ModelNotFound, match=r"no revision v3.*main, v2"):
        resolve("org/model/m.gguf@v3")


def test_refresh_fetches_what_the_branch_points_to_now(hub: FakeHub) -> None:
    repo = hub.repo("org/model", {"m.gguf": BODY})
    resolve("org/model/m.gguf")
    repo.commit("main", {"m.gguf": OTHER})
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY
    assert resolve("org/model/m.gguf", refresh=True).path.read_bytes() == OTHER
    assert resolve("org/model/m.gguf").path.read_bytes() == OTHER


def test_all_parts_of_a_split_model_come(hub: FakeHub) -> None:
    parts = {f"Q4_K_M/m-Q4_K_M-0000{i}-of-00003.gguf": BODY + bytes([i]) for i in (1, 2, 3)}
    hub.repo("org/model", {**parts, "m-Q8_0.gguf": OTHER})
    for reference in ("org/model", "org/model/Q4_K_M/m-Q4_K_M-00002-of-00003.gguf"):
        model = resolve(reference)
        assert [path.read_bytes() for path in model.paths] == list(parts.values())
        assert model.size == sum(map(len, parts.values()))


def test_a_broken_connection_is_taken_up_where_it_broke(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # it resumes at whole chunks
    hub.repo("org/model", {"m.gguf": BODY})
    hub.drop_after = [4321]
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY
    assert [r.headers.get("Range") for r in hub.downloads()] == [None, "bytes=4000-"]


def test_a_download_that_stays_short_leaves_nothing(
    hub: FakeHub, hf_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.repo("org/model", {"m.gguf": BODY})
    hub.drop_after = [0] * 20
    with pytest.raises(NetworkUnavailable):
        resolve("org/model/m.gguf")
    assert [p for p in hf_home.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"GGUF"] == []
    hub.drop_after = []
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY


def test_wrong_bytes_are_noticed_and_removed(hub: FakeHub, hf_home: Path) -> None:
    hub.repo("org/model", {"m.gguf": BODY})
    hub.tamper = True
    with pytest.raises(CorruptDownload, match=hashlib.sha256(BODY).hexdigest()):
        resolve("org/model/m.gguf")
    assert not any(hf_home.rglob("*.gguf"))
    hub.tamper = False
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY


@pytest.mark.skipif(
    "tqdm_class" not in inspect.signature(hf_hub_download).parameters,
    reason="this huggingface_hub shows a bar of its own",
)
def test_progress_is_told_of_every_byte(hub: FakeHub) -> None:
    hub.repo("org/model", {"m.gguf": BODY})
    told: list[tuple[str, int, int | None]] = []
    resolve("org/model/m.gguf", progress=lambda label, done, total: told.append((label, done, total)))
    assert ("Downloading m.gguf", len(BODY), len(BODY)) in told


def test_a_missing_repo_says_so(hub: FakeHub) -> None:
    with pytest.raises(ModelNotFound, match="no model repo org/nothing") as caught:
        resolve("org/nothing")
    assert not isinstance(caught.value, NetworkUnavailable | GatedModel)
    with pytest.raises(ModelNotFound, match="no model repo org/nothing"):
        resolve("org/nothing/m.gguf")


def test_a_missing_file_names_the_near_ones(hub: FakeHub) -> None:
    hub.repo("org/model", {"model-q4.gguf": BODY, "model-q8.gguf": OTHER})
    with pytest.raises(ModelNotFound, match=r"no file model-q5\.gguf.*model-q4\.gguf, model-q8\.gguf"):
        resolve("org/model/model-q5.gguf")


def test_a_missing_quantization_names_those_there_are(hub: FakeHub) -> None:
    hub.repo("org/model", {"m-Q4_0.gguf": BODY, "m-Q8_0.gguf": OTHER})
    with pytest.raises(ModelNotFound, match="no Q6_K file; it holds Q4_0, Q8_0"):
        resolve("org/model:Q6_K")


def test_a_repo_without_gguf_says_so(hub: FakeHub) -> None:
    hub.repo("org/model", {"model.safetensors": BODY})
    with pytest.raises(ModelNotFound, match=r"no \.gguf file"):
        resolve("org/model")


def test_a_gated_repo_tells_how_to_log_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("org/model", {"m.gguf": BODY}).needs_token = "hf_secret"
    for reference in ("org/model", "org/model/m.gguf"):
        with pytest.raises(GatedModel, match=r"gated.*hf auth login.*HF_TOKEN"):
            resolve(reference)
    monkeypatch.setenv("HF_TOKEN", "hf_other")  # logged in, licence not accepted: HTTP 403
    with pytest.raises(GatedModel):
        resolve("org/model/m.gguf")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert resolve("org/model/m.gguf").path.read_bytes() == BODY


def test_without_network_the_error_says_what_is_here(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("org/model", {"m.Q8_0.gguf": BODY, "m.Q4_K_M.gguf": OTHER})
    resolve("org/model/m.Q8_0.gguf")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert resolve("org/model/m.Q8_0.gguf").path.read_bytes() == BODY
    with pytest.raises(NetworkUnavailable, match=r"cannot be reached.*org/model/m\.Q8_0\.gguf"):
        resolve("org/model/m.Q4_K_M.gguf")
    with pytest.raises(NetworkUnavailable, match=r"cannot be reached.*rushlight list"):
        resolve("other/model")


def test_a_failing_host_is_no_missing_model(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.status = 503
    with pytest.raises(NetworkUnavailable, match="HTTP 503"):
        resolve("org/model")
    with pytest.raises(NetworkUnavailable, match="HTTP 503"):
        resolve("org/model/m.gguf")


def test_no_room_is_said_before_the_download(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("org/model", {"m.gguf": BODY})
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(ModelNotFound, match=r"no room for m\.gguf.*5\.0 kB are free.*HF_HOME"):
        resolve("org/model/m.gguf")
    assert hub.downloads() == []


def test_models_are_listed_and_removed(hub: FakeHub, own_cache: Path, hf_home: Path) -> None:
    hub.repo("org/model", {"m.Q8_0.gguf": BODY, "m.Q4_K_M.gguf": OTHER, "config.json": b"{}"})
    assert list_models() == []
    kept = [resolve("org/model/m.Q8_0.gguf"), resolve("org/model:Q4_K_M")]
    listed = list_models()
    assert [m.reference for m in listed] == ["org/model/m.Q4_K_M.gguf", "org/model/m.Q8_0.gguf"]
    assert {m.paths for m in listed} == {m.paths for m in kept}
    assert {m.size for m in listed} == {len(BODY), len(OTHER)}
    assert remove("org/model/m.Q8_0.gguf") == len(BODY)
    assert [m.reference for m in list_models()] == ["org/model/m.Q4_K_M.gguf"]
    assert remove("org/model") == len(OTHER)
    assert list_models() == []
    assert not (hf_home / "hub" / "models--org--model").exists()
    with pytest.raises(ModelNotFound, match="not on this machine"):
        remove("org/model")


def test_a_blob_that_two_commits_share_outlives_the_first_removal(hub: FakeHub, own_cache: Path) -> None:
    repo = hub.repo("org/model", {"m.gguf": BODY})
    old = resolve("org/model/m.gguf")
    new_commit = repo.commit("main", {"m.gguf": BODY, "README.md": b"new"})
    new = resolve("org/model/m.gguf", refresh=True)
    assert new.revision == new_commit
    assert sorted(m.reference for m in list_models()) == [
        "org/model/m.gguf",
        f"org/model/m.gguf@{old.revision}",
    ]
    assert remove(f"org/model/m.gguf@{old.revision}") == 0
    assert new.path.read_bytes() == BODY
    assert remove("org/model/m.gguf") == len(BODY)
    assert list_models() == []
