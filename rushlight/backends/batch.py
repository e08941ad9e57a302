"""One step's work, flat and ragged: the tokens of all running sequences, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rushlight.backends.cache import BLOCK_TOKENS
from rushlight.errors import InvalidParameter

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """The input of one step: T tokens of S sequences, of which R have their logits computed.

    Tokens of a sequence are neighbours and have consecutive positions. Every array is C-contiguous int32.

    Attributes:
        token_ids: [T].
        positions: [T], the position of each token in its sequence, from 0.
        token_seq: [T], the sequence (0 to S-1) of each token.
        query_start: [S + 1], where each sequence's tokens begin; the last entry is T.
        block_tables: one [S, n] per cache group. Entry ``[s, i]`` is the block that holds positions
            ``i * BLOCK_TOKENS`` onwards of sequence s (of a recurrent group: entry ``[s, 0]`` is its state),
            or -1 where nothing is kept (not yet reached, or slid out of the window).
        outputs: [R], indices of the tokens whose logits are wanted, ascending.
    """

    token_ids: Int32Array
    positions: Int32Array
    token_seq: Int32Array
    query_start: Int32Array
    block_tables: tuple[Int32Array, ...]
    outputs: Int32Array

    @property
    def n_tokens(self) -> int:
        """T."""
        return len(self.token_ids)

    @property
    def n_sequences(self) -> int:
        """S."""
        return len(self.query_start) - 1

    @property
    def decodes(self) -> bool:
        """Whether it holds one token of each sequence and all logits are wanted."""
        return self.n_tokens == self.n_sequences == len(self.outputs)

    def following(self, token_ids: list[int]) -> Batch:
        """The same sequences with one more token each; see `backends.base.Executor.advance`.

        Raises:
            InvalidParameter: this is no batch that another may follow so.
        """
        check_following(self.decodes, self.positions.tolist(), token_ids)
        return replace(self, token_ids=np.array(token_ids, np.int32), positions=self.positions + np.int32(1))


def check_following(decodes: bool, positions: list[int], token_ids: list[int]) -> None:
    """Check that tokens may follow a step of one token a sequence, at `positions`, in the same blocks.

    Raises:
        InvalidParameter: they may not.
    """
    if not decodes or len(token_ids) != len(positions):
        raise InvalidParameter(
            f"{len(token_ids)} tokens cannot follow a step unless it had as many, of a sequence each."
        )
    for position in positions:
        if (position + 1) % BLOCK_TOKENS == 0:
            raise InvalidParameter(f"Position {position + 1} begins a block; a batch must name it.")


def check_steps(decodes: bool, positions: list[int], n_steps: int, n_ctx: int) -> None:
    """Check that a batch may be the first of `n_steps` that follow each other in the same blocks.

    Raises:
        InvalidParameter: it may not.
    """
    if not decodes:
        raise InvalidParameter("Steps can follow each other only where each has one token of each sequence.")
    room = min(min(BLOCK_TOKENS - position % BLOCK_TOKENS, n_ctx - position) for position in positions)
    if not 1 <= n_steps <= room:
        raise InvalidParameter(f"n_steps is {n_steps}; blocks and context leave room for 1 to {room}.")
