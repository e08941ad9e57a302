"""The batch of a step, copied to where the kernels look for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Limits
from rushlight.backends.batch import Batch, check_following, check_steps
from rushlight.backends.cache import BLOCK_TOKENS, CacheLayout
from rushlight.backends.check import check_range
from rushlight.backends.cpu.records import STEP


class StepInputs:
    """Arrays of fixed addresses, large enough for any batch within the limits.

    Copying is quicker than asking each array of a batch for its address, and nobody can change the batch
    while it is computed.
    """

    def __init__(self, layout: CacheLayout, limits: Limits, step: npt.NDArray[np.void]) -> None:
        """Reserve the arrays and write their addresses into a step record [1]."""
        self._token_ids, self._positions, self._token_seq = np.zeros((3, limits.n_tokens), np.int32)
        self._query_start = np.zeros(limits.n_sequences + 1, np.int32)
        self._outputs = np.zeros(limits.n_outputs, np.int32)
        self._n_ctx = limits.n_ctx
        self._n_columns = -(-limits.n_ctx // BLOCK_TOKENS)
        self._tables = [np.zeros((limits.n_sequences, self._n_columns), np.int32) for _ in layout.groups]
        self._table_addresses = np.array(
            [[t.ctypes.data, 4 * self._n_columns] for t in self._tables], np.int64
        )
        for name in ("token_ids", "positions", "token_seq", "query_start", "outputs"):
            step[name] = getattr(self, f"_{name}").ctypes.data
        step["tables"] = self._table_addresses.ctypes.data
        # Single numbers are written faster to a memoryview than to an array.
        self._id_words, self._position_words = self._token_ids.data, self._positions.data
        self._decodes = False
        self._last_positions: list[int] = []
        self._counts = step.view(np.int64)[:2]
        assert STEP.names is not None and STEP.names[:2] == ("n_tokens", "n_outputs")

    def advance(self, token_ids: list[int]) -> None:
        """Take over what follows the last batch; see `backends.base.Executor.advance`.

        Args:
            token_ids: within the vocabulary.

        Raises:
            InvalidParameter: the last batch is none that these may follow.
        """
        check_following(self._decodes, self._last_positions, token_ids)
        positions = [position + 1 for position in self._last_positions]
        check_range("positions", positions, self._n_ctx)
        for i, (token_id, position) in enumerate(zip(token_ids, positions, strict=True)):
            self._id_words[i], self._position_words[i] = token_id, position
        self._last_positions = positions

    def check_steps(self, n_steps: int) -> None:
        """Check that the batch may be the first of some steps; see `backends.batch.check_steps`."""
        check_steps(self._decodes, self._last_positions, n_steps, self._n_ctx)

    def went_on(self, n_steps: int) -> None:
        """Note that the program has followed itself: its last batch lies `n_steps` further on."""
        self._last_positions = [position + n_steps for position in self._last_positions]

    def write(self, batch: Batch) -> None:
        """Take a batch over; it has been checked against the limits."""
        self._decodes = batch.decodes
        self._last_positions = batch.positions.tolist() if self._decodes else []
        n_tokens, n_sequences, n_outputs = batch.n_tokens, batch.n_sequences, len(batch.outputs)
        self._counts[0], self._counts[1] = n_tokens, n_outputs
        self._token_ids[:n_tokens] = batch.token_ids
        self._positions[:n_tokens] = batch.positions
        self._token_seq[:n_tokens] = batch.token_seq
        self._query_start[: n_sequences + 1] = batch.query_start
        self._outputs[:n_outputs] = batch.outputs
        for table, given in zip(self._tables, batch.block_tables, strict=True):
            # Columns past the context belong to no position.
            n_columns = min(self._n_columns, given.shape[1])
            table[:n_sequences, :n_columns] = given[:, :n_columns]
