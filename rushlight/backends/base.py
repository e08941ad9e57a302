"""The op set: what a model may ask of a backend, with shapes, dtypes and aliasing rules.

A model calls these ops in its `forward`; it cannot tell which backend runs it. `reference` computes each
call at once in NumPy and is the specification; `cpu` records the calls once and replays them.

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

import numpy as np
import numpy.typing as npt

from rushlight.backends.batch import Batch
from rushlight.backends.cache import CacheLayout
from rushlight.backends.routing import Routes, Routing
from rushlight.drawing import Draw
from rushlight.gguf import GGUFTensor
from rushlight.row_math import Argmax, RowMath

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]


class Tensor(Protocol):
    """An activation: float32 [rows, n_columns]; the rows are known only to the backend."""

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        ...

    def columns(self, start: int, stop: int) -> Tensor:
        """A view of columns ``start`` to ``stop - 1``."""
        ...


class Weight(Protocol):
    """A weight that a backend has taken over, in whatever layout suits it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in NumPy order: (N, K) of a matrix, (X, N, K) of experts, (N,) of a vector."""
        ...


@dataclass(frozen=True)
class RopeTable:
    """Rotary position embedding: the angles of every position.

    Attributes:
        cos, sin: float32 [n_ctx, n_rot / 2], magnitude scaling included.
        interleaved: pairs are columns (2i, 2i + 1) of a head as in the llama architecture of GGUF; otherwise
            (i, i + n_rot / 2), called NeoX. Columns from n_rot on pass through unchanged.
    """

    cos: Float32Array
    sin: Float32Array
    interleaved: bool

    @property
    def n_rot(self) -> int:
        """Columns of each head that are rotated."""
        return 2 * self.cos.shape[1]


class Positions(Protocol):
    """The positions that each token of a step has chosen; only `Ops` look inside."""

    @property
    def n_top(self) -> int:
        """Most positions of a token, or of each of its key-value heads."""
        ...


class Ops(Protocol):
    """One step, as a model's `forward` sees it."""

    def embed(self, weight: Weight, scale: float = 1.0) -> Tensor:
        """Rows of `weight` [V, E] for the step's token ids, dequantized, times `scale`: [T, E]."""
        ...

    def embed_positions(self, weight: Weight) -> Tensor:
        """Rows of `weight` [positions, E], float32, for the positions of the step's tokens: [T, E]."""
        ...

    def rms_norm(self, x: Tensor, weight: Weight | None, eps: float, n_group: int = 1) -> Tensor:
        """``x / sqrt(mean(x^2) + eps) * weight`` over each of `n_group` equal runs of columns.

        `weight` is [columns / n_group] and serves every group (n_group = H: norms of query or key heads);
        None is 1 in every column.
        """
        ...

    def layer_norm(
        self, x: Tensor, weight: Weight | None, bias: Weight | None, eps: float, n_group: int = 1
    ) -> Tensor:
        """``(x - mean) / sqrt(var + eps) * weight + bias`` over each of `n_group` equal runs of columns.

        `weight` and `bias` are [columns]: unlike those of `rms_norm`, every group has its own. Either may be
        None; a bias goes with a weight.
        """
        ...

    def linear(self, x: Tensor, weight: Weight, bias: Weight | None = None) -> Tensor:
        """``x @ weight.T + bias``: [rows, K] and [N, K] give [rows, N]."""
        ...

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Tensor:
        """Rotate the first `n_rot` columns of each of `n_head` heads by the angle of the token's position.

        A pair (a, b) becomes (a cos - b sin, a sin + b cos). x is [T, n_head * D].
        """
        ...

    def attention(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        layer: int,
        scale: float,
        softcap: float = 0.0,
        sinks: Weight | None = None,
        slopes: Weight | None = None,
        chosen: Positions | None = None,
    ) -> Tensor:
        """Keep k and v in the cache of `layer`, then attend: [T, H * D] gives [T, H * Dv].

        Scores are ``q . k * scale``, then ``softcap * tanh(score / softcap)`` if `softcap` is not 0; softmax
        over the positions of the token's own sequence up to its own, the last ``window`` of them where the
        layer's cache has one, or those since the last multiple of it where that is ``chunked``, and up to
        ``ahead`` positions behind its own, as far as the step has them. Query head h reads key-value head
        ``h // (H / KH)``. Keys and values are rounded to the cache's dtype before they are used, in prefill
        as in decode.

        `sinks` [H] holds one more score for each head, which takes its share of the softmax and has no value.
        `slopes` [H] are those of ALiBi (Press et al. 2021): a score loses its head's slope times the distance
        between the two positions. With `chosen` a token sees none but the positions that it has chosen.
        """
        ...

    def top_positions(self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int) -> Positions:
        """Keep k in the cache of `layer`, which has no values, then choose positions for each token.

        q is [T, H * D], `weights` [T, H] and k [T, D], one key for all heads. The score of a position p of
        the token's own sequence, up to its own, is ``sum over h of weights[h] * max(q_h . k_p, 0)``, h
        ascending. The `n_top` positions with the highest scores are chosen, of equal ones the earlier; a
        score that is NaN counts as the lowest. Keys are rounded to the cache's dtype before they are used.

        Source: DeepSeek-AI 2025, "DeepSeek-V3.2", section 2.1 (the lightning indexer); as llama.cpp has it
        (``ggml_lightning_indexer``), where ties are decided by no rule.
        """
        ...

    def top_blocks(self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int) -> Positions:
        """Keep k in the cache of `layer`, which has no values, then choose blocks for each key-value head.

        q is [T, KH * D], k [T, D], one key for all heads. Block b of a sequence is its positions ``b * size``
        to ``b * size + size - 1``. Its score for a head is the highest ``q_h . k_p`` of those up to the
        token's own. The token's own block and the ``n_local - 1`` before it are chosen, then those with the
        highest scores, `n_top` in all, of equal ones the earlier; NaN counts as the lowest. Keys are rounded
        to the cache's dtype before they are used.

        Source: MiniMax 2026, "MiniMax-M3" (block-sparse attention); ``minimax-m3.cpp`` in llama.cpp's
        ``src/models``.
        """
        ...

    def route(
        self, logits: Tensor, routing: Routing, bias: Weight | None = None, scales: Weight | None = None
    ) -> Routes:
        """Choose experts for each row of router logits [rows, X].

        An expert's score is its probability plus `bias` [X]; without bias and groups it is the logit, which
        is in the same order. The `n_used` highest scores are chosen, the highest first, of equal ones the
        expert with the lower index. `Routing` says how groups take part and what the weights are; `bias` has
        no part in them. In the end an expert's weight is multiplied by its own of `scales` [X]. A row whose
        logits are not all finite uses the first experts, with weights NaN.
        """
        ...

    def route_weights(self, routes: Routes) -> Tensor:
        """The weights of the experts that each row uses: [rows, U]."""
        ...

    def experts(self, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None) -> Tensor:
        """``x @ weight[e].T + bias[e]`` for each expert e that a row uses: [rows, U * N].

        `weight` is [X, N, K], `bias` [X * N]. x is [rows, K], or [rows, U * K] if every expert of a row has
        an input of its own. Inputs and results of a row's experts lie side by side in the order of `routes`.
        """
        ...

    def combine(self, x: Tensor, routes: Routes) -> Tensor:
        """The sum of a row's experts, each times its weight: [rows, U * N] gives [rows, N]."""
        ...

    def head_linear(self, x: Tensor, weight: Weight) -> Tensor:
        """``x_h @ weight[h].T`` of each head h: [rows, H * K] and [H, N, K] give [rows, H * N]."""
        ...

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Tensor:
        """Columns `start` to ``stop - 1`` of each of `n_head` heads: [rows, H * (stop - start)]."""
        ...

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Tensor:
        """Of each head the columns of x, then those of y: [rows, H * (Dx + Dy)].

        With `one` y is [rows, Dy], one head that goes behind all of x.
        """
        ...

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Tensor:
        """Causal convolution of each column along its sequence: [T, C] gives [T, C].

        ``y[t, c] = bias[c] + sum over k of weight[c, k] * x[t - (K - 1) + k, c]``, k ascending from 0.
        `weight` is a vector of C * K numbers, row after row; `bias` is [C]. The K - 1 rows in front of a
        sequence's first token are zero; in front of the step's first token they are those that the cache of
        `layer` has kept, unless that token is at position 0. The sequence's last K - 1 rows of x are kept in
        their place.
        """
        ...

    def gated_delta_net(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        dt: Tensor,
        a: Weight,
        beta: Tensor,
        layer: int,
        grouped: bool = False,
    ) -> Tensor:
        """The gated delta rule along each sequence: queries, keys and values give [T, H * Dv].

        q and k are [T, KH * D], v is [T, H * Dv], dt and beta are [T, H], `a` is [H]. Head h reads key head
        ``h % KH``, or ``h // (H / KH)`` where `grouped`, and has a state S [D, Dv], which the cache of
        `layer` keeps; it is zero in front of position 0. Each token, one after the other, does this in
        float32::

            S = exp(a * dt) * S
            S = S + outer(k, beta * (v - k @ S))
            y = q @ S

        Source: Yang et al. 2024, "Gated Delta Networks"; as llama.cpp has it (``ggml_gated_delta_net``).
        """
        ...

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Tensor:
        """Kimi delta attention along each sequence: [T, H * Dv].

        The gated delta rule (`gated_delta_net`) with a decay for each row of a head's state: q, k and `decay`
        are [T, H * D], v is [T, H * Dv], beta is [T, H]::

            S = decay[:, None] * S
            S = S + outer(k, beta * (v - k @ S))
            y = q @ S

        Source: Kimi Team 2025, "Kimi Linear"; as llama.cpp has it (``ggml_gated_delta_net``).
        """
        ...

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Tensor:
        """Linear attention with decays along each sequence: [T, H * Dv].

        q and k are [T, H * D], v is [T, H * Dv], `decay` is [T, H * D], or a vector [H * D] that holds for
        every token. Each head has a state S [D, Dv], which the cache of `layer` keeps; it is zero in front of
        position 0. Each token, one after the other, does this in float32::

            S = decay[:, None] * S + outer(k, v)
            y = q @ S

        Source: Yang et al. 2023, "Gated Linear Attention Transformers"; as llama.cpp has it
        (``ggml_gated_linear_attn``), whose factor of the result is left to `scale`.
        """
        ...

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Tensor:
        """The linear attention of RWKV-6 along each sequence: [T, H * Dv].

        As `gated_linear_attention`, but a token reads the state before its own, and itself with a bonus of
        its head, `bonus` being [H * D]::

            y = r @ (S + outer(bonus * k, v))
            S = decay[:, None] * S + outer(k, v)

        Source: Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence"; as
        llama.cpp has it (``ggml_rwkv_wkv6``).
        """
        ...

    def wkv7(
        self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int
    ) -> Tensor:
        """The generalized delta rule of RWKV-7 along each sequence: [T, H * Dv].

        As `gated_linear_attention`; a and b are [T, H * D]: what a reads of a state is added to it along b::

            S = decay[:, None] * S + outer(k, v) + outer(b, a @ S)
            y = r @ S

        Source: Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution"; as llama.cpp has it
        (``ggml_rwkv_wkv7``).
        """
        ...

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        """The scan of Mamba-2 along each sequence: [T, H * D] gives [T, H * D].

        x is [T, H * D], dt is [T, H], `a` is [H], b and c are [T, G * N]. Head h reads group
        ``h // (H / G)`` of b and c and has a state S [N, D], which the cache of `layer` keeps; it is zero in
        front of position 0. Each token, one after the other, does this in float32::

            S = exp(a * dt) * S + outer(b, dt * x)
            y = c @ S

        Source: Dao and Gu 2024, "Transformers are SSMs"; as llama.cpp has it (``ggml_ssm_scan``).
        """
        ...

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        """The scan of Mamba-1 along each sequence: [T, C] gives [T, C].

        As `ssm_scan`, with a step and decays for each column: x and dt are [T, C], `a` is a vector of C * N
        numbers, column after column, b and c are [T, N], and the state S is [N, C]::

            S[n, i] = exp(a[i, n] * dt[i]) * S[n, i] + b[n] * dt[i] * x[i]
            y[i] = sum over n of c[n] * S[n, i]

        Source: Gu and Dao 2023, "Mamba", section 3; as llama.cpp has it (``ggml_ssm_scan``).
        """
        ...

    def silu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        """``gate / (1 + exp(-gate)) * up``."""
        ...

    def swiglu_oai(self, gate: Tensor, up: Tensor) -> Tensor:
        """``g / (1 + exp(-1.702 g)) * (u + 1)``, g being min(gate, 7) and u up, kept within -7 and 7."""
        ...

    def sigmoid_scale(self, x: Tensor, gate: Tensor) -> Tensor:
        """``x / (1 + exp(-gate))``: every row of x times one number, `gate` being [rows, 1]."""
        ...

    def relu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        """``max(gate, 0) * up``."""
        ...

    def gelu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        """``gelu(gate) * up``."""
        ...

    def gelu(self, x: Tensor) -> Tensor:
        """``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``, the tanh form."""
        ...

    def exp(self, x: Tensor) -> Tensor:
        """``exp(x)``."""
        ...

    def silu(self, x: Tensor) -> Tensor:
        """``x / (1 + exp(-x))``."""
        ...

    def sigmoid(self, x: Tensor) -> Tensor:
        """``1 / (1 + exp(-x))``."""
        ...

    def softplus(self, x: Tensor) -> Tensor:
        """``log(1 + exp(x))``."""
        ...

    def relu_squared(self, x: Tensor) -> Tensor:
        """``max(x, 0)^2``."""
        ...

    def xielu(self, x: Tensor, alpha_p: float, alpha_n: float, beta: float, eps: float) -> Tensor:
        """``alpha_p x^2 + beta x`` where x > 0, elsewhere ``alpha_n (exp(min(x, eps)) - 1 - x) + beta x``."""
        ...

    def add(self, x: Tensor, y: Tensor | Weight) -> Tensor:
        """``x + y``; a weight y is a vector [columns], which is added to every row."""
        ...

    def scale(self, x: Tensor, factor: float) -> Tensor:
        """``x * factor``, the factor rounded to float32."""
        ...

    def multiply(self, x: Tensor, y: Tensor | Weight) -> Tensor:
        """``x * y``; a weight y is a vector [columns], by which every row is multiplied."""
        ...

    def scale_rows(self, x: Tensor, factors: Tensor) -> Tensor:
        """``x * factors``: each of G equal runs of columns of a row times its own of `factors` [rows, G]."""
        ...

    def match_magnitude(self, x: Tensor, target: Tensor) -> Tensor:
        """``x * sqrt(sum(target^2) / sum(x^2))``: rows as long as those of `target`, of as many columns."""
        ...

    def sparsify(self, x: Tensor, n_std: float) -> Tensor:
        """``max(x - (mean + n_std * std), 0)`` over the columns, std taken with columns - 1.

        Of numbers from a normal distribution it keeps those beyond a quantile.
        """
        ...

    def clamp(self, x: Tensor, limit: float) -> Tensor:
        """``min(max(x, -limit), limit)``."""
        ...

    def minimum(self, x: Tensor, limit: float) -> Tensor:
        """``min(x, limit)``."""
        ...

    def softmax(self, x: Tensor) -> Tensor:
        """``exp(x) / sum(exp(x))`` over the columns of each row."""
        ...

    def softcap(self, x: Tensor, cap: float) -> Tensor:
        """``cap * tanh(x / cap)``: within (-cap, cap), and near x where that is small."""
        ...

    def outputs(self, x: Tensor) -> Tensor:
        """The rows of the tokens whose logits are wanted: [T, columns] gives [R, columns]."""
        ...

    def sequence_first(self, x: Tensor) -> Tensor:
        """For each output token the row of its sequence's first token in the step: [T, C] gives [R, C]."""
        ...

    def sequence_mean(self, x: Tensor) -> Tensor:
        """For each output token the mean of its sequence's rows in the step: [T, C] gives [R, C]."""
        ...


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
