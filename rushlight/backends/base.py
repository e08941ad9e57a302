"""A backend: it takes a model's weights over and runs its steps; `Ops` is what a model may ask of it in one.

A model calls these ops in its `forward`; it cannot tell which backend runs it. `reference` computes each
call at once in NumPy and is the specification; `cpu` records the calls once and replays them. `row_ops` and
`sequence_ops` say what each op means, with shapes, dtypes and aliasing rules, by kind of op.

Every activation is a float32 matrix [rows, columns]. Rows are the T tokens of the step, or its R output
tokens after `outputs`. Ops are pure: they return a new matrix and leave their inputs unchanged. A column
view made by `Tensor.columns` may be read by any op.

Dimension letters: T tokens, R output tokens, E n_embd, H heads, KH key-value heads, D head size, N rows of
a weight, V vocabulary, X experts, U experts that a row uses, C columns and K taps of a convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rushlight.backends.batch import Batch
from rushlight.backends.cache import CacheLayout
from rushlight.backends.row_ops import ElementwiseOps, ExpertOps, MatrixOps
from rushlight.backends.sequence_ops import AttentionOps, RecurrentOps
from rushlight.backends.tensors import Float32Array, Int64Array, Positions, RopeTable, Tensor, Weight
from rushlight.drawing import Draw
from rushlight.gguf import GGUFTensor
from rushlight.row_math import Argmax, RowMath

__all__ = [
    "Backend",
    "Executor",
    "Float32Array",
    "Int64Array",
    "Limits",
    "Model",
    "Ops",
    "Positions",
    "Progress",
    "RopeTable",
    "Tensor",
    "Weight",
]


class Ops(MatrixOps, AttentionOps, ExpertOps, RecurrentOps, ElementwiseOps, Protocol):
    """One step, as a model's `forward` sees it."""


class Model(Protocol):
    """A loaded model: what the engine and a backend need to know of it."""

    n_vocab: int
    n_embd: int
    n_ctx_train: int
    cache: CacheLayout

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        ...


Progress = Callable[[str, int, int | None], None]
"""Called with a label, the amount done and the total (None: unknown)."""


@dataclass(frozen=True)
class Limits:
    """The sizes that a backend allocates for, fixed when a model is loaded.

    Attributes:
        n_tokens: most tokens in one step.
        n_sequences: most sequences in one step.
        n_outputs: most output tokens in one step.
        n_ctx: most positions of one sequence.
        n_blocks: blocks of each cache group.
        kv_dtype: "f16" or "f32".
    """

    n_tokens: int
    n_sequences: int
    n_outputs: int
    n_ctx: int
    n_blocks: tuple[int, ...]
    kv_dtype: str = "f16"


class Executor(Protocol):
    """A model bound to its buffers and caches."""

    @property
    def row_math(self) -> RowMath:
        """Operations over a row of logits, for sampling."""
        ...

    def step(self, batch: Batch) -> Float32Array:
        """Run one step; the logits [R, V] float32, valid until the next call.

        Raises:
            InvalidParameter: the batch does not fit the limits, or refers to rows outside them.
        """
        ...

    def advance(self, token_ids: list[int]) -> Float32Array:
        """Run the step that follows the last one's, for the same sequences: the logits [S, V] float32.

        What a step of one token a sequence costs beside its computation is building and checking its batch,
        and most of that is as it was.

        Args:
            token_ids: of each sequence the next token, at the position after its last. The last step had one
                token of each, all with logits, and the new positions lie in the same blocks.

        Raises:
            InvalidParameter: the last step was no such step, or ids or positions are out of range.
        """
        ...

    def decode(
        self, first: Batch | list[int], n_steps: int, end_ids: Int64Array, draws: Sequence[Draw | None] = ()
    ) -> list[list[int]]:
        """Run steps of one token a sequence, each but the first with the tokens that the one before chose.

        Args:
            first: the first step, as `step` or `advance` takes it.
            n_steps: most steps, at least 1; all their positions lie in the first one's blocks.
            end_ids: no step comes behind one that gives one of these to any sequence.
            draws: how each sequence's tokens are drawn, by `drawing.choose`; None takes that of the highest
                logit, of equal ones the first. Empty: None for all. A `top_k` is at most `MOST_OF_TOP`, and
                without one nothing else is cut off.

        Returns:
            Of each step the token of each sequence. Of the last step it may be -1, which is where a logit is
            NaN or infinite.

        Raises:
            InvalidParameter: as `step` and `advance`, or one of the steps lies in other blocks.
        """
        ...

    def hurry(self) -> None:
        """Let the `decode` that runs, or else the next one, end behind its step. Any thread may call this."""
        ...

    def logits(self) -> Float32Array:
        """The logits that the last step gave, [R, V] float32, valid until the next one."""
        ...

    def argmax(self) -> list[Argmax]:
        """The highest logit of each row that the last step gave: R of them."""
        ...

    def copy_block(self, group: int, source: int, target: int) -> None:
        """Copy block `source` of a cache group over block `target`, in all the group's layers."""
        ...

    def read_block(self, group: int, block: int) -> bytes:
        """What a block of a cache group holds, in all the group's layers; only `write_block` can tell how.

        Raises:
            InvalidParameter: there is no such group or block.
        """
        ...

    def write_block(self, group: int, block: int, content: bytes) -> None:
        """Let a block of a cache group hold what `read_block` gave, of this executor or of one like it.

        Raises:
            InvalidParameter: there is no such group or block, or the content is of another size.
        """
        ...

    def close(self) -> None:
        """Give back memory and threads; `step` may not be called again."""
        ...


class Backend(Protocol):
    """Where a model runs."""

    name: str

    def matrix(self, *tensors: GGUFTensor) -> Weight:
        """Take a matrix for `Ops.linear`: [N, K] of any supported type, several stacked along N.

        Products are multiplied by the tensor's `scales`, if it has one, before a bias is added; so are those
        of each expert.
        """
        ...

    def experts(self, tensor: GGUFTensor) -> Weight:
        """Take the matrices of all experts for `Ops.experts`: [X, N, K]; `raw` may be a view of some rows."""
        ...

    def vector(self, tensor: GGUFTensor) -> Weight:
        """Take a norm weight or bias: [N], kept in float32; other shapes are flattened."""
        ...

    def embedding(self, tensor: GGUFTensor) -> Weight:
        """Take a table [V, E] for `Ops.embed`."""
        ...

    def executor(self, model: Model, limits: Limits) -> Executor:
        """Bind a model to buffers and caches of the given sizes."""
        ...

    def close(self) -> None:
        """End what loading has begun; for a backend that gets no executor. Its weights are not usable."""
        ...
