"""Text to token ids and back: what every kind of tokenizer offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from rushlight.errors import InvalidParameter
from rushlight.text.vocabulary import TokenType, Vocabulary

_HIDDEN = (TokenType.CONTROL, TokenType.UNKNOWN)


class Added(NamedTuple):
    """What is added to a text, or to a pair of texts.

    Attributes:
        bos, eos, sep: the tokens of these roles.
        space_prefix: a space before the text.
    """

    bos: bool = False
    eos: bool = False
    sep: bool = False
    space_prefix: bool = False


class TokenizerInfo(NamedTuple):
    """What a tokenizer knows beside its way of encoding.

    Attributes:
        vocabulary: the tokens.
        special: role (``bos eos eot eom unk sep pad mask fim_pre ...``) to id.
        eog_ids: every token that ends a generation.
        add_bos: `Tokenizer.encode` puts the BOS token first.
        add_eos: `Tokenizer.encode` puts the EOS token last.
        add_space_prefix: encoding puts a space before a text, and decoding takes it away.
        add_sep: `Tokenizer.encode` puts the SEP token last.
        pair: what `rushlight.text.pairs.encode_pair` adds to a pair of texts.
        suppress_ids: tokens that the model must never write.
        special_tokens: what a chat template calls them (``bos_token``, ``eos_token``, ...), to their texts.
        chat_templates: the templates that came with the tokenizer by name, the plain one as ``"default"``.
    """

    vocabulary: Vocabulary
    special: Mapping[str, int]
    eog_ids: frozenset[int]
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool
    add_sep: bool = False
    pair: Added = Added()
    suppress_ids: frozenset[int] = frozenset()
    special_tokens: Mapping[str, str] = MappingProxyType({})
    chat_templates: Mapping[str, str] = MappingProxyType({})


class Tokenizer(ABC):
    """Text to token ids and back. Made by `rushlight.text.load_tokenizer`; safe to use from several threads.

    Attributes:
        vocabulary: the tokens.
        n_vocab: the number of tokens.
        bos_id, eos_id, eot_id, eom_id, unk_id, pad_id: special tokens, None where the model has none.
        special_roles: role to id of all of them, which adds ``sep``, ``mask`` and ``fim_pre``, ``fim_suf``,
            ``fim_mid``, ``fim_pad``, ``fim_rep``, ``fim_sep`` where the model has them.
        eog_ids: every token that ends a generation.
        special_ids: control and unknown tokens: parsed only on request, left out of text on request.
        suppress_ids: tokens that the model must never write.
        add_bos, add_eos, add_sep: what `encode` adds to a text.
        pair: what is added to a pair of texts.
        add_space_prefix: `encode` puts a space before a text, and `decode` takes it away.
        special_tokens: texts of special tokens under the names that chat templates use.
        chat_template: the model's chat template, or None.
        chat_templates: all of them by name.
    """

    def __init__(self, info: TokenizerInfo) -> None:
        self.vocabulary = info.vocabulary
        self.n_vocab = len(info.vocabulary)
        self.bos_id = info.special.get("bos")
        self.eos_id = info.special.get("eos")
        self.eot_id = info.special.get("eot")
        self.eom_id = info.special.get("eom")
        self.unk_id = info.special.get("unk")
        self.pad_id = info.special.get("pad")
        self.special_roles = dict(info.special)
        self.eog_ids = info.eog_ids
        self.special_ids = frozenset(info.vocabulary.ids_of_types(*_HIDDEN))
        self.suppress_ids = info.suppress_ids
        self.add_bos = info.add_bos
        self.add_eos = info.add_eos
        self.add_sep = info.add_sep
        self.pair = info.pair
        self.add_space_prefix = info.add_space_prefix
        self.special_tokens = dict(info.special_tokens)
        self.chat_templates = dict(info.chat_templates)
        self._pieces: dict[int, bytes] = {}
        self.chat_template = self.chat_templates.get("default")

    @abstractmethod
    def encode(self, text: str, add_special: bool = True, parse_special: bool = True) -> list[int]:
        """The token ids of a text.

        Args:
            text: any text; lone surrogates count as U+FFFD.
            add_special: add the BOS and EOS tokens that the model wants around a text.
            parse_special: read ``<|im_start|>`` and the like as the special tokens they name; otherwise as
                plain text, which is the choice for text from outside.
        """

    def decode(self, ids: Iterable[int], skip_special: bool = False, strip_prefix: bool = True) -> str:
        """The text of token ids; bytes that are not UTF-8 become U+FFFD.

        No spaces are tidied: what `encode` was given comes back as it was.

        Args:
            ids: token ids.
            skip_special: leave out control and unknown tokens.
            strip_prefix: take away the space that `encode` put before the text, if this model's does.
                False for ids that continue a text.

        Raises:
            InvalidParameter: an id is outside the vocabulary.
        """
        pieces = bytearray()
        strip = strip_prefix and self.add_space_prefix
        for id in ids:
            if skip_special and id in self.special_ids:
                continue
            piece = self.token_bytes(id)
            pieces += piece.removeprefix(b" ") if strip else piece
            strip = False
        return pieces.decode("utf-8", "replace")

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a token adds to a text; a character can be spread over several tokens.

        Raises:
            InvalidParameter: the id is outside the vocabulary.
        """
        piece = self._pieces.get(id)
        if piece is None:
            self._check(id)
            piece = self._pieces[id] = self.vocabulary.piece(id)
        return piece

    def token_text(self, id: int) -> str:
        """A token as the vocabulary writes it (``▁the``, ``Ġthe``, ``<0x0A>``).

        Raises:
            InvalidParameter: the id is outside the vocabulary.
        """
        self._check(id)
        return self.vocabulary.texts[id]

    def is_special(self, id: int) -> bool:
        """Whether a token is a control or unknown token."""
        return id in self.special_ids

    def _check(self, id: int) -> None:
        if not 0 <= id < self.n_vocab:
            raise InvalidParameter(f"Token id {id} is outside the vocabulary of {self.n_vocab} tokens.")


def replace_surrogates(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced by U+FFFD, so that it is UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
