"""What every tokenizer offers: encoding, decoding, special tokens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from helpers.tiny_vocabularies import CONTROL, NORMAL, UNUSED, USER_DEFINED, bpe_metadata, spm_metadata
from helpers.vocab_files import vocabulary_file
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidParameter, ModelNotFound
from rushlight.gguf.writer import write_gguf
from rushlight.text import Tokenizer, load_tokenizer

PIECES = {"▁": -5.0, "h": -6.0, "i": -6.0, "e": -6.0, "hi": -2.0, "▁hi": -1.0, "he": -3.0, "▁▁": -4.0}
SPECIALS = {"<|end|>": CONTROL, "<tag>": USER_DEFINED, "<spare>": UNUSED}


def tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    return load_tokenizer(SimpleNamespace(metadata=metadata))


def spm(**extra: Any) -> Tokenizer:
    return tokenizer(spm_metadata(PIECES, SPECIALS, **extra))


def texts(t: Tokenizer, ids: list[int]) -> list[str]:
    return [t.token_text(id) for id in ids]


@pytest.fixture(scope="module")
def phi3() -> Tokenizer:
    return load_tokenizer(vocabulary_file("phi-3"))


@pytest.fixture(scope="module")
def gpt2() -> Tokenizer:
    return load_tokenizer(vocabulary_file("gpt-2"))


def test_spm_puts_a_space_before_a_text_and_after_special_tokens() -> None:
    t = spm()
    assert texts(t, t.encode("hi")) == ["<s>", "▁hi"]
    assert texts(t, t.encode("hi<|end|>hi", add_special=False)) == ["▁hi", "<|end|>", "▁hi"]
    assert texts(t, t.encode("hi<tag>hi", add_special=False)) == ["▁hi", "<tag>", "▁hi"]
    without = spm(add_space_prefix=False)
    assert texts(without, without.encode("hi hi")) == ["<s>", "hi", "▁hi"]


def test_spm_falls_back_to_bytes() -> None:
    t = spm(add_space_prefix=False)
    assert texts(t, t.encode("é", add_special=False)) == ["<0xC3>", "<0xA9>"]
    assert t.decode(t.encode("é\n", add_special=False)) == "é\n"


def test_spm_takes_the_highest_score_and_of_equal_ones_the_leftmost() -> None:
    t = tokenizer(
        spm_metadata({"a": 0.0, "b": 0.0, "c": 0.0, "ab": -1.0, "bc": -1.0}, add_space_prefix=False)
    )
    assert texts(t, t.encode("abc", add_special=False)) == ["ab", "c"]
    t = tokenizer(
        spm_metadata({"a": 0.0, "b": 0.0, "c": 0.0, "ab": -2.0, "bc": -1.0}, add_space_prefix=False)
    )
    assert texts(t, t.encode("abc", add_special=False)) == ["a", "bc"]


def test_spm_joins_a_character_that_is_no_token() -> None:
    """llama.cpp judges pairs by their text: "xy" is found although "x" and "y" are no tokens."""
    t = tokenizer(spm_metadata({"xy": -1.0}, add_space_prefix=False))
    assert texts(t, t.encode("xyx", add_special=False)) == ["xy", "<0x78>"]


def test_spm_words_that_a_token_crosses_are_not_cut() -> None:
    pieces = {"a": -5.0, "▁": -5.0, "b": -5.0, "a▁": -2.0, "▁b": -3.0, "a▁b": -1.0}
    t = tokenizer(spm_metadata(pieces, add_space_prefix=False))
    assert texts(t, t.encode("a b", add_special=False)) == ["a▁b"]
    assert texts(t, t.encode("b b", add_special=False)) == ["b", "▁b"]


def test_control_tokens_are_parsed_on_request_and_user_defined_ones_always() -> None:
    t = spm(add_space_prefix=False)
    both = "<|end|><tag>"
    assert texts(t, t.encode(both, add_special=False)) == ["<|end|>", "<tag>"]
    plain = t.encode(both, add_special=False, parse_special=False)
    assert plain[-1] == t.vocabulary.ids["<tag>"]
    assert t.vocabulary.ids["<|end|>"] not in plain
    assert t.decode(plain) == both


def test_unused_tokens_are_not_parsed_and_have_no_text() -> None:
    t = spm(add_space_prefix=False)
    id = t.vocabulary.ids["<spare>"]
    assert id not in t.encode("<spare>", add_special=False)
    assert t.token_bytes(id) == b""


def test_phi3_swallows_spaces_after_its_special_tokens(phi3: Tokenizer) -> None:
    ids = phi3.encode("<|user|> \n hi<|end|>\n\n<|assistant|>\n", add_special=False)
    assert texts(phi3, ids) == ["<|user|>", "▁hi", "<|end|>", "<|assistant|>"]
    assert texts(phi3, phi3.encode("<|endoftext|> hi", add_special=False)) == ["<|endoftext|>", "▁", "▁hi"]


def test_bos_and_eos_are_added_as_the_file_says() -> None:
    t = spm(add_bos_token=False, add_eos_token=True)
    assert t.encode("") == [t.eos_id]
    assert t.encode("", add_special=False) == []
    assert spm().encode("") == [1]


def test_decode_hides_special_tokens_on_request() -> None:
    t = spm()
    ids = t.encode("hi<|end|><tag>")
    assert t.decode(ids) == "<s> hi<|end|><tag>"
    assert t.decode(ids, skip_special=True) == "hi<tag>"
    assert t.decode(ids, skip_special=True, strip_prefix=False) == " hi<tag>"
    assert t.decode(t.encode("hi", add_special=False)) == "hi"


def test_broken_characters_become_replacement_characters() -> None:
    t = spm()
    first, second = (t.vocabulary.ids[f"<0x{byte:02X}>"] for byte in "é".encode())
    assert t.decode([first, second]) == "é"
    assert t.decode([first]) == "\ufffd"
    assert t.decode([second, first, first, second]) == "\ufffd\ufffdé"


@pytest.mark.parametrize("id", [-1, 1 << 20])
def test_ids_outside_the_vocabulary_are_refused(id: int) -> None:
    for call in (spm().token_bytes, spm().token_text, lambda id: spm().decode([id])):
        with pytest.raises(InvalidParameter, match=f"Token id {id} is outside the vocabulary of 270 tokens"):
            call(id)


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\u2581")))
def test_decode_undoes_encode(phi3: Tokenizer, gpt2: Tokenizer, text: str) -> None:
    """But for U+2581, which SentencePiece takes for a space."""
    for t in (phi3, gpt2):
        ids = t.encode(text, parse_special=False)
        assert t.decode(ids, skip_special=True) == text


@settings(deadline=None)
@given(text=st.text(st.characters(codec=None, categories=("Cs", "Ll", "Zs"))))
def test_lone_surrogates_count_as_replacement_characters(gpt2: Tokenizer, text: str) -> None:
    clean = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert gpt2.decode(gpt2.encode(text, parse_special=False)) == clean


def test_a_long_word_takes_no_quadratic_time(phi3: Tokenizer, gpt2: Tokenizer) -> None:
    word = "abcdefghij" * 10_000
    for t in (phi3, gpt2):
        assert t.decode(t.encode(word, add_special=False)) == word


def test_special_tokens_of_a_template() -> None:
    """Those the file names, and defaults that are special tokens indeed."""
    assert spm(eos_token_id=261).special_tokens == {
        "bos_token": "<s>",
        "eos_token": "<spare>",
        "unk_token": "<unk>",
    }
    assert tokenizer(bpe_metadata([])).special_tokens == {}
    assert tokenizer(bpe_metadata([], eos_token_id=11)).special_tokens == {"eos_token": "ċ"}


def test_chat_templates_by_name() -> None:
    metadata = spm_metadata(PIECES) | {
        "tokenizer.chat_template": "A",
        "tokenizer.chat_template.tool_use": "B",
    }
    t = tokenizer(metadata)
    assert t.chat_template == "A"
    assert t.chat_templates == {"default": "A", "tool_use": "B"}
    assert spm().chat_template is None


def test_token_pieces_that_are_not_utf8_keep_their_bytes() -> None:
    t = tokenizer(spm_metadata({b"\xe4\xbd".decode("utf-8", "surrogateescape"): -1.0}))
    assert t.token_bytes(t.n_vocab - 1) == b"\xe4\xbd"


def test_byte_level_tokens_in_plain_text_stand_for_themselves() -> None:
    t = tokenizer(bpe_metadata(["a b"], {"two words": NORMAL}))
    assert t.token_bytes(t.n_vocab - 1) == b"two words"


def test_a_merge_without_a_token_falls_apart_into_ascii() -> None:
    metadata = bpe_metadata(["a b", "ab c"])
    metadata["tokenizer.ggml.tokens"] = [x for x in metadata["tokenizer.ggml.tokens"] if x != "abc"]
    del metadata["tokenizer.ggml.token_type"]
    t = tokenizer(metadata)
    assert texts(t, t.encode("abcab")) == ["a", "b", "c", "ab"]


def test_load_from_a_path(tmp_path: Any) -> None:
    path = tmp_path / "vocabulary.gguf"
    write_gguf(path, {"general.architecture": "llama", **spm_metadata(PIECES)}, [])
    assert load_tokenizer(path).encode("hi") == load_tokenizer(str(path)).encode("hi")
    with pytest.raises(ModelNotFound, match="no tokenizer file at"):
        load_tokenizer(tmp_path / "missing.gguf")
