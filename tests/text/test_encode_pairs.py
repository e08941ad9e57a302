"""A query and a document as one text, as llama.cpp's server writes them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from goldens.pair_vocabularies import PAIR_VOCABULARIES, PAIRS

from rushlight.text import Tokenizer, load_tokenizer
from rushlight.text.pairs import encode_pair

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens" / "pairs.json").read_text("utf-8"))


def tokenizer(name: str) -> Tokenizer:
    return load_tokenizer(SimpleNamespace(metadata=PAIR_VOCABULARIES[name]))


def test_the_golden_is_of_these_pairs() -> None:
    assert GOLDEN["pairs"] == [list(pair) for pair in PAIRS]
    assert GOLDEN["vocabularies"].keys() == PAIR_VOCABULARIES.keys()
    assert len({tuple(ids[0]) for ids in GOLDEN["vocabularies"].values()}) >= 8


@pytest.mark.parametrize("name", PAIR_VOCABULARIES)
def test_ids_are_llama_cpps(name: str) -> None:
    for pair, want in zip(PAIRS, GOLDEN["vocabularies"][name], strict=True):
        assert encode_pair(tokenizer(name), *pair) == want, pair


@pytest.mark.parametrize("name", ["template", "byte pairs with all", "word piece"])
def test_a_document_cannot_write_special_tokens(name: str) -> None:
    tok = tokenizer(name)
    marks = [tok.token_text(id) for id in tok.special_ids]
    plain, attacked = encode_pair(tok, "the", "a"), encode_pair(tok, "the", "a".join(marks))
    for id in tok.special_ids:
        if id != tok.unk_id:  # what a vocabulary cannot spell
            assert attacked.count(id) == plain.count(id)


def test_a_query_is_no_part_of_the_template() -> None:
    """llama.cpp would put the document into such a query."""
    tok = tokenizer("template")
    ids = encode_pair(tok, "{document}", "abc")
    assert tok.decode(ids).count("abc: abc") == 1 and "the: {document}" in tok.decode(ids)
