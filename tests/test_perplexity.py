"""Perplexity: its definition, its errors, and SmolLM2's over a fixed text against llama.cpp's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY

from rushlight import LLM
from rushlight.cli import main
from rushlight.errors import InvalidParameter
from rushlight.perplexity import perplexity

TESTS = Path(__file__).parent
TEXT = TESTS / "data" / "alice.txt"
GOLDEN = json.loads((TESTS / "goldens" / "perplexity.json").read_text("utf-8"))
# Of llama.cpp's figure: both round activations to 8 bits, each in its own way.
TOLERANCE = 0.005


def plain_perplexity(llm: LLM, text: str, n_ctx: int) -> tuple[float, float, int]:
    """Value, standard error and tokens scored, in plain NumPy."""
    ids = llm.tokenize(text, parse_special=False)
    scores = []
    for start in range(0, len(ids) - n_ctx + 1, n_ctx):
        chunk = ids[start : start + n_ctx]
        fed = [llm.tokenizer.bos_id, *chunk[1:]] if llm.tokenizer.add_bos else chunk
        logits = llm.logits(fed).astype(np.float64)
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        scores += [-np.log(chances[i, chunk[i + 1]]) for i in range(n_ctx // 2, n_ctx - 1)]
    value = np.exp(np.mean(scores))
    return value, value * np.std(scores) / np.sqrt(len(scores) - 1), len(scores)


@pytest.mark.parametrize("name", ["llama-f32", "phi3-f32"])
@pytest.mark.parametrize("n_ctx", [8, 33])
def test_perplexity_is_what_its_definition_says(name: str, n_ctx: int) -> None:
    text = TEXT.read_text("utf-8")[:300]
    with LLM(TINY / f"{name}.gguf", n_threads=1, n_ctx=64) as llm:
        found = perplexity(llm, text, n_ctx)
        value, error, n_scored = plain_perplexity(llm, text, n_ctx)
        less = perplexity(llm, text, n_ctx, n_chunks=1)
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.error == pytest.approx(error, rel=1e-9)
    assert (found.n_scored, found.n_ctx) == (n_scored, n_ctx)
    assert found.n_scored == found.n_chunks * (n_ctx - n_ctx // 2 - 1)
    assert (less.n_chunks, less.value != found.value) == (1, True)


def test_models_with_and_without_a_first_token_are_covered() -> None:
    added = set()
    for name in ("llama-f32", "phi3-f32"):
        with LLM(TINY / f"{name}.gguf", n_threads=1) as llm:
            added.add(llm.tokenizer.add_bos)
    assert added == {True, False}


def test_what_cannot_be_scored_is_refused() -> None:
    with LLM(TINY / "llama-f32.gguf", n_threads=1, n_ctx=64) as llm:
        for n_ctx in (7, 65):
            with pytest.raises(InvalidParameter, match="n_ctx"):
                perplexity(llm, "some text " * 100, n_ctx)
        with pytest.raises(InvalidParameter, match="takes 128 at least"):
            perplexity(llm, "short", 64)
        with pytest.raises(InvalidParameter, match="n_chunks"):
            perplexity(llm, "some text " * 100, 64, n_chunks=0)


def smollm2_is_close(path: Path, index: int) -> None:
    digests = {"text": TEXT, "model": path}
    for name, file in digests.items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == GOLDEN["sha256"][name]
    run = GOLDEN["runs"][index]
    n_chunks = None if run["n_chunks"] < 0 else run["n_chunks"]
    with LLM(path, n_ctx=run["n_ctx"]) as llm:
        found = perplexity(llm, TEXT.read_text("utf-8").removesuffix("\n"), run["n_ctx"], n_chunks=n_chunks)
    assert found.value == pytest.approx(run["value"], rel=TOLERANCE)


def test_smollm2_foresees_a_text_as_with_llama_cpp(smollm2_path: Path) -> None:
    smollm2_is_close(smollm2_path, 0)


@pytest.mark.perplexity
def test_smollm2_foresees_a_long_text_as_with_llama_cpp(smollm2_path: Path) -> None:
    smollm2_is_close(smollm2_path, 1)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(TINY / "llama-f32.gguf")
    assert main(["perplexity", "-m", model, "-c", "32", "--chunks", "2", "--json", str(TEXT)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["n_ctx"], found["n_chunks"], found["n_scored"]) == (model, 32, 2, 30)
    assert main(["perplexity", "-m", model, "-c", "32", "--chunks", "2", str(TEXT)]) == 0
    assert capsys.readouterr().out.startswith(f"{found['value']:.4f} +/- {found['error']:.4f} (30 tokens")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert main(["perplexity", "-m", model, str(tmp_path / "latin")]) == 1
    assert "is not UTF-8 (byte 3)" in capsys.readouterr().err
    assert main(["perplexity", "-m", model, str(tmp_path / "missing")]) == 1
    assert "missing" in capsys.readouterr().err
