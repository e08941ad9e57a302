"""Tokenization of hard strings, byte for byte as llama.cpp does it, on real vocabularies."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from helpers.vocab_files import GOLDENS_DIR, VocabularyUnavailableError, vocabulary_file

from rushlight.text import Tokenizer, load_tokenizer

NAMES = sorted(path.stem for path in GOLDENS_DIR.glob("*.json"))
REAL_MODELS = {"smollm2": "smollm2_path", "gemma3-270m": "gemma_path"}
COMBINATIONS = ((False, False), (False, True), (True, False), (True, True))

# llama_detokenize drops some spaces in the text of these, which Rushlight never does.
TIDIED = {
    "aquila",
    "bert-bge",
    "falcon",
    "gpt-2",
    "gpt-neox",
    "llama-bpe",
    "mpt",
    "refact",
    "starcoder",
    "gemma-4",
}


@cache
def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDENS_DIR / f"{name}.json").read_text("utf-8"))


@cache
def hard_strings() -> list[str]:
    return json.loads((GOLDENS_DIR.parent / "hard_strings.json").read_text("utf-8"))


@cache
def open_tokenizer(path: Path) -> Tokenizer:
    return load_tokenizer(path)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def tokenizer(name: str, request: pytest.FixtureRequest) -> Tokenizer:
    if name in REAL_MODELS:
        return open_tokenizer(request.getfixturevalue(REAL_MODELS[name]))
    try:
        return open_tokenizer(vocabulary_file(name))
    except VocabularyUnavailableError as error:
        pytest.skip(str(error))


def cases(name: str) -> list[tuple[str, dict[str, Any]]]:
    recorded = golden(name)["cases"]
    texts = [*hard_strings(), *(case["text"] for case in recorded if "text" in case)]
    assert len(texts) == len(recorded)
    return list(zip(texts, recorded, strict=True))


def id_lists(case: dict[str, Any]) -> list[list[int]]:
    lists = case["ids"]
    return [lists[one] if isinstance(one, int) else one for one in lists]


def test_ids(name: str, tokenizer: Tokenizer) -> None:
    for text, case in cases(name):
        for (add_special, parse_special), want in zip(COMBINATIONS, id_lists(case), strict=True):
            got = tokenizer.encode(text, add_special=add_special, parse_special=parse_special)
            assert got == want, f"{text!r}, {add_special=}, {parse_special=}"


def test_special_tokens(name: str, tokenizer: Tokenizer) -> None:
    want = golden(name)["special"]
    for role in ("bos", "eos", "pad"):
        id = getattr(tokenizer, f"{role}_id")
        assert (-1 if id is None else id) == want[role], role
    assert (tokenizer.add_bos, tokenizer.add_eos) == (want["add_bos"], want["add_eos"])
    assert sorted(tokenizer.eog_ids) == golden(name)["eog"]
    if want["eot"] >= 0:
        assert tokenizer.eot_id in tokenizer.eog_ids


def test_pieces(name: str, tokenizer: Tokenizer) -> None:
    for id, shown, hidden in golden(name)["pieces"]:
        want = bytes.fromhex(shown)
        if want.startswith(b"[UNK_BYTE"):  # llama.cpp's message for text outside of GPT-2's alphabet
            want = tokenizer.token_text(id).encode()
        assert tokenizer.token_bytes(id) == want, id
        assert tokenizer.is_special(id) == (hidden == "" and shown != ""), id


def test_text(name: str, tokenizer: Tokenizer) -> None:
    for text, case in cases(name):
        ids = id_lists(case)[3]
        shown = case["shown"].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        hidden = (
            case.get("hidden", case["shown"]).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )
        # llama.cpp takes the prefixed space away only where no special token stands before it.
        keeps_prefix = bool(ids) and tokenizer.is_special(ids[0])
        got = tokenizer.decode(ids), tokenizer.decode(ids, skip_special=True, strip_prefix=not keeps_prefix)
        if name in TIDIED:
            got = tidied(got[0]), tidied(got[1])
        assert got == (shown, hidden), repr(text)


def tidied(text: str) -> str:
    """The text without the spaces that llama_detokenize drops, rule by rule."""
    text = drop(text, lambda t, i: t[i] in "?!.,")
    letters, n, i = list(text), min(len(text), 1), 1
    while i < len(letters):
        letter = letters[i]
        if letter == "'" and letters[i - 1] == " " == text[i + 1 : i + 2]:
            n, i = n - 1, i + 1
            letters[i] = "\0"  # so that another apostrophe behind it is not seen
        letters[n] = letter
        n, i = n + 1, i + 1
    return drop(
        "".join(letters[:n]),
        lambda t, i: t[i] == "'" and (t[i + 1 : i + 2] in ("s", "m") or t[i + 1 : i + 3] in ("re", "ve")),
    )


def drop(text: str, joins: Any) -> str:
    out = text[:1]
    for i in range(1, len(text)):
        out = (out[:-1] if text[i - 1] == " " and joins(text, i) else out) + text[i]
    return out
