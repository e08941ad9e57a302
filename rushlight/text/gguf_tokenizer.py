"""A tokenizer that is described by the metadata of a GGUF file."""

from __future__ import annotations

from typing import Protocol

from rushlight.text.partition import Partition
from rushlight.text.tokenizer import Tokenizer, TokenizerInfo, replace_surrogates


class Encoder(Protocol):
    """Encodes plain text, without special tokens."""

    def encode(self, text: str, at_start: bool) -> list[int]:
        """The tokens of a text; `at_start` if nothing or a special token stands before it."""


class GGUFTokenizer(Tokenizer):
    """A tokenizer built from GGUF metadata, equal to llama.cpp's.

    Args:
        info: vocabulary, special tokens and templates.
        partition: finds special tokens in a text.
        encoder: encodes the text between them.
    """

    def __init__(self, info: TokenizerInfo, partition: Partition, encoder: Encoder) -> None:
        super().__init__(info)
        self._partition = partition
        self._encoder = encoder
        self._first = _added(info, bos=info.add_bos)
        self._last = _added(info, eos=info.add_eos, sep=info.add_sep)

    def encode(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """See `Tokenizer.encode`."""
        ids = list(self._first) if add_special else []
        at_start = True
        for fragment in self._partition(replace_surrogates(text), parse_special):
            if isinstance(fragment, int):
                ids.append(fragment)
            else:
                ids += self._encoder.encode(fragment, at_start)
            at_start = isinstance(fragment, int)
        return ids + self._last if add_special else ids


def _added(info: TokenizerInfo, **adds: bool) -> list[int]:
    """The ids of the roles that are added, as far as the model has them."""
    return [info.special[role] for role, added in adds.items() if added and role in info.special]
