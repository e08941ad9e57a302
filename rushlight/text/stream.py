"""Token ids to text as they come: whole characters, stop strings."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence

from rushlight.errors import InvalidParameter
from rushlight.text.stop_strings import StopStrings
from rushlight.text.tokenizer import Tokenizer


class TextStream:
    """Turns token ids into text that can be shown at once.

    A character spread over several tokens is held back until it is whole, and text that may be the beginning
    of a stop string until it is known not to be. Without a stop string the deltas joined, with `flush`, are
    `Tokenizer.decode` of all ids. Takes time in proportion to the text.

    Args:
        tokenizer: of the model.
        stop: strings that end the text. The one that is complete first ends it; of several that are complete
            at the same character, the longest.
        skip_special: leave out control and unknown tokens.
        strip_prefix: see `Tokenizer.decode`; False for a text that continues a prompt.
        shown: control tokens, by their texts, that are not left out: they mark parts of an answer.

    Attributes:
        stopped: the stop string that was met, or None. What it stood before is all the text there is.

    Raises:
        InvalidParameter: a stop string is empty.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        stop: Sequence[str] = (),
        skip_special: bool = True,
        strip_prefix: bool = True,
        shown: Iterable[str] = (),
    ) -> None:
        if isinstance(stop, str):
            stop = (stop,)
        if not all(stop):
            raise InvalidParameter("A stop string is empty; give text that should end the answer, or none.")
        self.stopped: str | None = None
        self._tokenizer = tokenizer
        self._stop = StopStrings(stop)
        ids = {tokenizer.vocabulary.ids[text] for text in shown if text in tokenizer.vocabulary.ids}
        self._hidden = tokenizer.special_ids - ids if skip_special else frozenset()
        self._strip = strip_prefix and tokenizer.add_space_prefix
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, token_id: int) -> str:
        """The text that this token makes certain, empty once a stop string was met.

        Raises:
            InvalidParameter: the id is outside the vocabulary.
        """
        piece = self._tokenizer.token_bytes(token_id)
        if self.stopped is not None or token_id in self._hidden:
            return ""
        if self._strip:
            piece = piece.removeprefix(b" ")
            self._strip = False
        return self._advance(self._utf8.decode(piece))

    def flush(self) -> str:
        """The text still held back, when no more tokens come; half a character becomes U+FFFD."""
        text = self._advance(self._utf8.decode(b"", final=True)) + self._held
        self._held = ""
        return text

    def _advance(self, text: str) -> str:
        """Take in more text and give what is certain of it."""
        if self.stopped is not None:
            return ""
        found = self._stop.feed(text)
        text = self._held + text
        if found is not None:
            end, self.stopped = found
            end += len(self._held) - len(self.stopped)
            self._held = ""
            return text[:end]
        certain = len(text) - self._stop.n_pending
        self._held = text[certain:]
        return text[:certain]
