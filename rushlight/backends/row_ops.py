"""Ops that see each row alone: of matrices, of experts, and elementwise ones."""

from __future__ import annotations

from typing import Protocol

from rushlight.backends.routing import Routes, Routing
from rushlight.backends.tensors import Tensor, Weight


class MatrixOps(Protocol):
    """Tables, norms, products with matrices, and columns of heads."""

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

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Tensor:
        """Columns `start` to ``stop - 1`` of each of `n_head` heads: [rows, H * (stop - start)]."""
        ...

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Tensor:
        """Of each head the columns of x, then those of y: [rows, H * (Dx + Dy)].

        With `one` y is [rows, Dy], one head that goes behind all of x.
        """
        ...


class ExpertOps(Protocol):
    """Choosing among the matrices of a weight, and products with those chosen."""

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


class ElementwiseOps(Protocol):
    """Activations, sums and products."""

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
