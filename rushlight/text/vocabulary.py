"""The tokens of a model: their texts, their types, and the bytes that each stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile
from rushlight.gguf.strings import StringArray
from rushlight.text.byte_alphabet import BYTE_OF_CHARACTER
from rushlight.text.string_index import StringIndex

SPACE_MARK = "\u2581"
BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenType(IntEnum):
    """What a token is for, with the numbers of ``tokenizer.ggml.token_type``."""

    UNDEFINED = 0
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Spelling(Enum):
    """How the text of a normal token is written."""

    BYTE_LEVEL = "in GPT-2's alphabet of 256 characters, one for each byte"
    SPACE_MARK = "as it is, with U+2581 for a space"
    ESCAPED = "as it is, but with backslash escapes, such as \\n and \\xE4 (RWKV)"
    PLAIN = "as it is (PLaMo 2)"
    CONTINUED = "as it is; ## before what continues a word, and a space belongs before all else (BERT)"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, by id.

    Attributes:
        texts: the token texts as the file has them; bytes that are not UTF-8 are lone surrogates (PEP 383).
        ids: the id of each text.
        types: uint8 [n_vocab], the `TokenType` number of each token.
        spelling: how normal tokens are written.
    """

    texts: Sequence[str]
    ids: Mapping[str, int]
    types: bytes
    spelling: Spelling

    def __len__(self) -> int:
        return len(self.texts)

    def ids_of_types(self, *types: TokenType) -> list[int]:
        """The ids of all tokens of these types."""
        found: list[int] = np.flatnonzero(np.isin(np.frombuffer(self.types, np.uint8), types)).tolist()
        return found

    def piece(self, id: int) -> bytes:
        """The bytes that a token stands for in a text. Unused and undefined tokens stand for none.

        Raises:
            IndexError: the id is outside the vocabulary.
        """
        if not 0 <= id < len(self.texts):
            raise IndexError(f"token id {id} is outside the vocabulary of {len(self.texts)} tokens")
        text, type = self.texts[id], self.types[id]
        if type == TokenType.NORMAL:
            return _PIECES[self.spelling](text)
        if type == TokenType.BYTE:
            return bytes([int(text[3:5], 16)])
        if type in (TokenType.CONTROL, TokenType.UNKNOWN, TokenType.USER_DEFINED):
            return _encode(text)
        return b""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _byte_level_piece(text: str) -> bytes:
    try:
        return bytes([BYTE_OF_CHARACTER[character] for character in text])
    except KeyError:  # an added token written in plain text: what is not in the alphabet stands for itself
        parts = (BYTE_OF_CHARACTER.get(character, character) for character in text)
        return b"".join(bytes([part]) if isinstance(part, int) else _encode(part) for part in parts)


def unescaped_piece(text: str) -> bytes:
    r"""The bytes of a token written with ``\t``, ``\n``, ``\r``, ``\xE4``; ``\`` quotes what else follows."""
    return re.sub(_ESCAPE, _unescape, _encode(text), flags=re.DOTALL)


_ESCAPE = rb"\\(x[0-9a-fA-F]{2}|.)"
_ESCAPED_BYTES = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def _unescape(match: re.Match[bytes]) -> bytes:
    name = match.group(1)
    return bytes.fromhex(name[1:].decode()) if len(name) > 1 else _ESCAPED_BYTES.get(name, name)


_PIECES: dict[Spelling, Callable[[str], bytes]] = {
    Spelling.BYTE_LEVEL: _byte_level_piece,
    Spelling.SPACE_MARK: lambda text: _encode(text.replace(SPACE_MARK, " ")),
    Spelling.ESCAPED: unescaped_piece,
    Spelling.PLAIN: _encode,
    Spelling.CONTINUED: lambda text: _encode(text[2:] if text.startswith("##") else " " + text),
}


def read_vocabulary(metadata: Mapping[str, Any], spelling: Spelling) -> Vocabulary:
    """Read ``tokenizer.ggml.tokens`` and ``tokenizer.ggml.token_type``.

    An empty text becomes ``[EMPTY_<id>]``, as in llama.cpp, so that texts stay distinct.

    Raises:
        InvalidFile: there are no tokens, two have the same text, the types are of another number, or a byte
            token is not written ``<0xXX>``.
    """
    texts, ids = _texts_and_ids(metadata)
    numbers = number_array(metadata, "tokenizer.ggml.token_type", len(texts))
    if numbers is None:
        numbers = np.full(len(texts), TokenType.NORMAL)
    known = (numbers >= 0) & (numbers <= max(TokenType))
    vocabulary = Vocabulary(texts, ids, np.where(known, numbers, 0).astype(np.uint8).tobytes(), spelling)
    for id in vocabulary.ids_of_types(TokenType.BYTE):
        if not BYTE_TOKEN.fullmatch(texts[id]):
            raise InvalidFile(
                f"Token {id} is marked as a byte, but its text is {texts[id]!r} and not <0xXX>."
            )
    return vocabulary


def _texts_and_ids(metadata: Mapping[str, Any]) -> tuple[StringArray, StringIndex]:
    """The token texts and the id of each."""
    texts = string_array(metadata, "tokenizer.ggml.tokens")
    if not len(texts):
        raise InvalidFile(
            "The vocabulary (tokenizer.ggml.tokens) is empty; the file holds no usable tokenizer."
        )
    ids = StringIndex(texts)
    if "" in ids:
        texts = StringArray.of(text or f"[EMPTY_{i}]" for i, text in enumerate(texts))
        ids = StringIndex(texts)
    if (same := ids.duplicate()) is not None:
        first, second = same
        raise InvalidFile(
            f"Tokens {first} and {second} have the same text {texts[first]!r}; each must have its own."
        )
    return texts, ids


def string_array(metadata: Mapping[str, Any], key: str) -> StringArray:
    """The array of strings under `key`. Raises InvalidFile if it is missing or something else."""
    values = metadata.get(key)
    if isinstance(values, StringArray):
        return values
    if isinstance(values, str) or not isinstance(values, Sequence):
        found = "is missing" if values is None else f"is {type(values).__name__}"
        raise InvalidFile(f"{key} {found}; an array of strings was expected.")
    if not set(map(type, values)) <= {str}:
        raise InvalidFile(f"{key} holds something other than strings.")
    return StringArray.of(values)


def number_array(metadata: Mapping[str, Any], key: str, n: int) -> npt.NDArray[Any] | None:
    """The array of `n` finite numbers under `key`, None if it is missing.

    Raises:
        InvalidFile: it is no array of numbers, or not of `n`, or one is not finite.
    """
    if key not in metadata:
        return None
    numbers = np.asarray(metadata[key])
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
        raise InvalidFile(f"{key} is no array of numbers.")
    if len(numbers) != n:
        raise InvalidFile(f"{key} has {len(numbers)} entries for {n} tokens; there must be one for each.")
    if not np.isfinite(numbers).all():
        raise InvalidFile(f"{key} holds numbers that are not finite.")
    return numbers
