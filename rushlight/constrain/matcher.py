"""Which tokens may come next in one answer."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rushlight.errors import RushlightError

if TYPE_CHECKING:
    from llguidance import LLMatcher

IdArray = npt.NDArray[np.intp]

_FEW = 8
_NO_WAY_ON = "NoExtension"
_NO_TOKEN = "The constraint leaves no token of this model that could come next."


class Matcher:
    """Follows one answer through a grammar. One thread at a time may use it.

    Args:
        matcher: llguidance's, at its beginning.
        n_vocab: the number of tokens.
        eog_ids: tokens that end an answer.
    """

    def __init__(self, matcher: LLMatcher, n_vocab: int, eog_ids: Collection[int]) -> None:
        self._matcher = matcher
        self._n_vocab = n_vocab
        self._eog_ids = np.array(sorted(eog_ids), np.intp)

    @property
    def is_complete(self) -> bool:
        """Whether the text so far matches and no more may follow."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def allowed(self, ends: bool = True) -> IdArray:
        """The ids of the tokens that may come next, ascending.

        Args:
            ends: whether an end token may where the text so far matches; one may anyway where nothing else
                can.

        Raises:
            RushlightError: no token may, or the grammar has become too large on the way.
        """
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        ids = _ids_of(mask)
        ids = ids[: np.searchsorted(ids, self._n_vocab)]
        if not ends:
            others = ids[~np.isin(ids, self._eog_ids)]
            ids = others if len(others) else ids
        if not len(ids):
            raise RushlightError(_NO_TOKEN)
        return ids

    def advance(self, token_id: int) -> None:
        """Take in the token that was chosen.

        Raises:
            RushlightError: the grammar does not allow it.
        """
        self._matcher.consume_token(token_id)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().strip()
            if reason.startswith(_NO_WAY_ON):
                raise RushlightError(_NO_TOKEN)
            raise RushlightError(f"The constraint cannot be held any further: {reason.splitlines()[0]}")


def _ids_of(mask: npt.NDArray[np.uint8]) -> IdArray:
    """The places of the bits that are set, ascending; of a byte the lowest bit comes first."""
    places = np.flatnonzero(mask)
    if len(places) > len(mask) // _FEW:
        return np.flatnonzero(np.unpackbits(mask, bitorder="little"))
    rows, bits = np.nonzero(np.unpackbits(mask[places, None], axis=1, bitorder="little"))
    ids: IdArray = places[rows] * 8 + bits
    return ids
