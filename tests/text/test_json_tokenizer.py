"""Tokenizers from a tokenizer.json, beside transformers' fast tokenizer of the same file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Library
from transformers import PreTrainedTokenizerFast

from rushlight.errors import InvalidFile, UnsupportedTokenizer
from rushlight.text import TextStream, Tokenizer, chat_template_for, load_tokenizer

CORPUS = ["Hello world, hello words!", "Zwölf Boxkämpfer jagen Viktor", "日本語 text", "aaa bbb  ccc"] * 4


def byte_level() -> Library:
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=320,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<s>", "<|im_end|>"],
            show_progress=False,
        ),
    )
    library.add_tokens(["<tag>"])
    return library


def byte_fallback() -> Library:
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "h", "i", "▁h", "▁hi"]
    library = Library(
        models.BPE(
            {piece: i for i, piece in enumerate(pieces)},
            [("▁", "h"), ("▁h", "i")],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    library.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    library.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    library.add_special_tokens([AddedToken(piece, special=True) for piece in pieces[:3]])
    library.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return library


def word_piece() -> Library:
    pieces = ["[UNK]", "[CLS]", "[SEP]", "h", "##i", "hi", "##/", "s", "##s", "日", "<", ">", "/", "é", "e"]
    library = Library(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer()
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(cleanup=False)
    library.add_special_tokens([AddedToken(piece, special=True) for piece in pieces[:3]])
    library.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return library


@settings(deadline=None)
@given(text=st.one_of(st.text(), st.text("hi <s>/é日", max_size=20)))
def test_word_pieces_are_transformers(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "word_piece.json"
    if not path.exists():
        word_piece().save(str(path))
    tokenizer = load_tokenizer(path)
    fast = PreTrainedTokenizerFast(tokenizer_file=str(path), clean_up_tokenization_spaces=False)
    ids = tokenizer.encode(text)
    assert (ids[0], ids[-1]) == (1, 2)
    assert ids == fast.encode(text)
    assert tokenizer.decode(ids, skip_special=True) == fast.decode(ids, skip_special_tokens=True)


@pytest.fixture(scope="module", params=["byte_level", "byte_fallback"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param)
    {"byte_level": byte_level, "byte_fallback": byte_fallback}[request.param]().save(
        str(path / "tokenizer.json")
    )
    return path


@settings(deadline=None)
@given(text=st.one_of(st.text(), st.text("hi <s>/é日", max_size=20)))
def test_ids_and_text_are_transformers(folder: Path, text: str) -> None:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    fast = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), clean_up_tokenization_spaces=False
    )
    for add_special in (False, True):
        ids = tokenizer.encode(text, add_special=add_special)
        assert ids == fast.encode(text, add_special_tokens=add_special)
        assert tokenizer.decode(ids, skip_special=True) == fast.decode(ids, skip_special_tokens=True)
        stream = TextStream(tokenizer)
        assert "".join(map(stream.feed, ids)) + stream.flush() == tokenizer.decode(ids, skip_special=True)


def test_special_tokens_can_be_plain_text(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    special = tokenizer.vocabulary.ids["<s>"]
    assert special in tokenizer.encode("hi<s>", add_special=False)
    ids = tokenizer.encode("hi<s>", add_special=False, parse_special=False)
    assert special not in ids
    assert tokenizer.decode(ids) == "hi<s>"


def test_bos_is_learned_from_the_post_processor(tmp_path: Path) -> None:
    byte_fallback().save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.bos_id, tokenizer.add_bos, tokenizer.add_eos) == (1, True, False)
    assert tokenizer.token_bytes(tokenizer.vocabulary.ids["<0xC3>"]) == b"\xc3"
    assert tokenizer.eog_ids == {2}


def test_files_beside_it_are_read(tmp_path: Path) -> None:
    byte_level().save(str(tmp_path / "tokenizer.json"))
    config = {
        "bos_token": "<s>",
        "eos_token": {"content": "<tag>", "special": True},
        "chat_template": [
            {"name": "default", "template": "{{ bos_token }}"},
            {"name": "rag", "template": "R"},
        ],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [5, 6], "suppress_tokens": [7, -1]}')
    tokenizer: Tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    ids = tokenizer.vocabulary.ids
    assert (tokenizer.bos_id, tokenizer.eos_id) == (ids["<s>"], ids["<tag>"])
    assert tokenizer.special_tokens == {"bos_token": "<s>", "eos_token": "<tag>"}
    assert tokenizer.eog_ids == {ids["<|im_end|>"], ids["<tag>"], 5, 6}
    assert tokenizer.suppress_ids == {7}
    assert chat_template_for(tokenizer).render([]) == "<s>"
    assert tokenizer.chat_templates["rag"] == "R"
    (tmp_path / "chat_template.jinja").write_text("J")
    assert load_tokenizer(tmp_path).chat_template == "J"


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"model": {"type": "BPE"}}', "\x00\x01"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(InvalidFile, match=r"no tokenizer\.json that can be read"):
        load_tokenizer(path)


@pytest.mark.parametrize("vocabulary", [{}, {"a": 2**31}])
def test_vocabularies_of_no_sensible_size_are_refused(tmp_path: Path, vocabulary: dict[str, int]) -> None:
    library = Library(models.BPE({}, []))
    library.decoder = decoders.ByteLevel()
    content = json.loads(library.to_str())
    content["model"]["vocab"] = vocabulary
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InvalidFile, match="highest token id"):
        load_tokenizer(tmp_path)


def test_a_bad_file_beside_it_is_named(tmp_path: Path) -> None:
    byte_level().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(InvalidFile, match=r"tokenizer_config\.json is no JSON file"):
        load_tokenizer(tmp_path)


def test_other_decoders_are_refused(tmp_path: Path) -> None:
    library = Library(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    library.decoder = decoders.CTC()
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UnsupportedTokenizer, match="neither byte-level, SentencePiece nor WordPiece"):
        load_tokenizer(tmp_path)
