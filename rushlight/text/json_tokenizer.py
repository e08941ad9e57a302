"""Tokenizers from a ``tokenizer.json``, run by the `tokenizers` library itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rushlight.errors import InvalidFile, UnsupportedTokenizer
from rushlight.text.special_names import END_TEXTS, TEMPLATE_ROLES
from rushlight.text.tokenizer import Tokenizer, TokenizerInfo, replace_surrogates
from rushlight.text.vocabulary import BYTE_TOKEN, Spelling, TokenType, Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

_MAX_VOCAB = 1 << 24


class JSONTokenizer(Tokenizer):
    """A tokenizer that encodes as transformers' fast tokenizers do.

    Args:
        info: vocabulary, special tokens and templates.
        library: the tokenizer that reads special tokens in a text.
        plain: the same tokenizer, set to treat them as plain text.
    """

    def __init__(self, info: TokenizerInfo, library: Library, plain: Library) -> None:
        super().__init__(info)
        self._library = library
        self._plain = plain

    def encode(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """See `Tokenizer.encode`."""
        library = self._library if parse_special else self._plain
        ids: list[int] = library.encode(replace_surrogates(text), add_special_tokens=add_special).ids
        return ids


def tokenizer_from_json(path: Path) -> JSONTokenizer:
    """Build the tokenizer of a ``tokenizer.json``.

    What that file does not say (which tokens are BOS and EOS, the chat template) is read from the files that
    usually stand beside it: ``tokenizer_config.json``, ``generation_config.json``, ``chat_template.jinja``.

    Raises:
        InvalidFile: the file is no tokenizer of the `tokenizers` library.
        UnsupportedTokenizer: its decoder is none of byte-level, SentencePiece and WordPiece.
    """
    library, plain = _open(path), _open(path)
    plain.encode_special_tokens = True
    decoders = _decoders(library)
    spelling = _spelling(decoders)
    if spelling is None:
        raise UnsupportedTokenizer(f"{path} decodes neither byte-level, SentencePiece nor WordPiece tokens.")
    vocabulary = _vocabulary(library, spelling)
    config = _read_beside(path, "tokenizer_config.json")
    special_tokens = {
        f"{role}_token": text for role in TEMPLATE_ROLES if (text := _text_of(config, f"{role}_token"))
    }
    special = {
        role: vocabulary.ids[special_tokens[f"{role}_token"]]
        for role in TEMPLATE_ROLES
        if special_tokens.get(f"{role}_token") in vocabulary.ids
    }
    before, after = _added(library)
    info = TokenizerInfo(
        vocabulary=vocabulary,
        special={**{r: ids[0] for r, ids in (("bos", before), ("eos", after)) if ids}, **special},
        eog_ids=frozenset(_end_ids(path, vocabulary, special)),
        add_bos=bool(before),
        add_eos=bool(after),
        add_space_prefix=any(_strips_prefix(decoder) for decoder in decoders),
        suppress_ids=frozenset(_generation_ids(path, "suppress_tokens", vocabulary)),
        special_tokens=special_tokens,
        chat_templates=_chat_templates(path, config),
    )
    return JSONTokenizer(info, library, plain)


def _open(path: Path) -> Library:
    from tokenizers import Tokenizer as Library

    try:
        return Library.from_file(str(path))
    except Exception as error:  # the library raises Exception itself, for a missing file as for a bad one
        raise InvalidFile(f"{path} is no tokenizer.json that can be read: {error}") from error


def _decoders(library: Library) -> list[dict[str, Any]]:
    """The decoder's parts as the file describes them."""
    if library.decoder is None:
        return []
    decoder = json.loads(library.decoder.__getstate__())
    return list(decoder["decoders"]) if decoder["type"] == "Sequence" else [decoder]


def _spelling(decoders: Sequence[Mapping[str, Any]]) -> Spelling | None:
    """How tokens are written, by the decoder's parts; None if that is not known."""
    if any(decoder.get("type") == "ByteLevel" for decoder in decoders):
        return Spelling.BYTE_LEVEL
    if any(d.get("type") == "Metaspace" or _replaced(d) == "\u2581" for d in decoders):
        return Spelling.SPACE_MARK
    if any(d.get("type") == "WordPiece" and d.get("prefix") == "##" for d in decoders):
        return Spelling.CONTINUED
    return None


def _replaced(decoder: Mapping[str, Any]) -> Any:
    return decoder["pattern"].get("String") if decoder.get("type") == "Replace" else None


def _strips_prefix(decoder: Mapping[str, Any]) -> bool:
    kind = decoder.get("type")
    if kind == "Strip":
        return bool(decoder["content"] == " " and decoder["start"] > 0)
    if kind == "WordPiece":
        return True
    return kind == "Metaspace" and decoder.get("prepend_scheme") != "never"


def _vocabulary(library: Library, spelling: Spelling) -> Vocabulary:
    ids: dict[str, int] = library.get_vocab(with_added_tokens=True)
    n = max(ids.values(), default=-1) + 1
    if not 0 < n <= _MAX_VOCAB:
        raise InvalidFile(
            f"The highest token id is {n - 1}; a vocabulary of 1 to {_MAX_VOCAB:,} was expected."
        )
    texts = [""] * n
    types = bytearray([TokenType.UNUSED]) * n
    for text, id in ids.items():
        texts[id] = text
        is_byte = spelling == Spelling.SPACE_MARK and BYTE_TOKEN.fullmatch(text)
        types[id] = TokenType.BYTE if is_byte else TokenType.NORMAL
    for id, token in library.get_added_tokens_decoder().items():
        types[id] = TokenType.CONTROL if token.special else TokenType.USER_DEFINED
    return Vocabulary(texts, ids, bytes(types), spelling)


def _added(library: Library) -> tuple[list[int], list[int]]:
    """The ids that the library puts before and after a text."""
    plain = library.encode("a", add_special_tokens=False).ids
    whole = library.encode("a", add_special_tokens=True).ids
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start], whole[start + len(plain) :]
    return [], []


def _read_beside(path: Path, name: str) -> dict[str, Any]:
    """A JSON object beside the tokenizer, empty if there is none."""
    try:
        value = json.loads((path.parent / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidFile(f"{path.parent / name} is no JSON file: {error}") from error
    return value if isinstance(value, dict) else {}


def _text_of(config: Mapping[str, Any], key: str) -> str | None:
    value = config.get(key)
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _end_ids(path: Path, vocabulary: Vocabulary, special: Mapping[str, int]) -> set[int]:
    ends = {vocabulary.ids[text] for text in END_TEXTS if text in vocabulary.ids}
    if "eos" in special:
        ends.add(special["eos"])
    return ends | _generation_ids(path, "eos_token_id", vocabulary)


def _generation_ids(path: Path, key: str, vocabulary: Vocabulary) -> set[int]:
    named = _read_beside(path, "generation_config.json").get(key)
    ids = named if isinstance(named, list) else [named]
    return {id for id in ids if isinstance(id, int) and 0 <= id < len(vocabulary)}


def _chat_templates(path: Path, config: Mapping[str, Any]) -> dict[str, str]:
    file = path.parent / "chat_template.jinja"
    templates = config.get("chat_template")
    if isinstance(templates, str):
        found = {"default": templates}
    elif isinstance(templates, list):
        found = {
            t["name"]: t["template"]
            for t in templates
            if isinstance(t, dict) and {"name", "template"} <= t.keys()
        }
    else:
        found = {}
    return found | ({"default": file.read_text(encoding="utf-8")} if file.is_file() else {})
