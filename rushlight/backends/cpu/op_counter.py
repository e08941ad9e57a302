"""The op set, counting the matrices that a step multiplies with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rushlight.backends.cache import AttentionCache, CacheLayout
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS
from rushlight.backends.cpu.weights import ExpertMatrices, Matrix
from rushlight.backends.routing import Routes, Routing
from rushlight.backends.tensors import Positions, RopeTable, Tensor, Weight


@dataclass(frozen=True)
class Shape:
    """The `Tensor` that is only counted."""

    n_columns: int
    rows: int = TOKENS

    def columns(self, start: int, stop: int) -> Shape:
        """As many columns."""
        return Shape(stop - start, self.rows)


@dataclass(frozen=True)
class _Chosen:
    """The `Positions` that are not chosen."""

    n_top: int


def _shape(tensor: Tensor) -> Shape:
    assert isinstance(tensor, Shape)
    return tensor


class OpCounter:
    """The op set, counting matrices alone.

    Attributes:
        macs: multiply-accumulates of a row, by `TOKENS` or `OUTPUTS`.
        matrices: each matrix once, by its identity.
        experts_used: the matrices of experts, and how many of them a row uses.
    """

    def __init__(self, cache: CacheLayout) -> None:
        self.macs: Counter[int] = Counter()
        self.matrices: dict[int, Matrix] = {}
        self.experts_used: list[tuple[ExpertMatrices, int]] = []
        self._cache = cache

    def embed(self, weight: Weight, scale: float = 1.0) -> Tensor:
        return Shape(weight.shape[1])

    def embed_positions(self, weight: Weight) -> Tensor:
        return Shape(weight.shape[1])

    def linear(self, x: Tensor, weight: Weight, bias: Weight | None = None) -> Tensor:
        if not isinstance(weight, Matrix):
            raise TypeError(f"a matrix of the cpu backend was expected, not {type(weight).__name__}")
        n, k = weight.shape
        self.macs[_shape(x).rows] += n * k
        self.matrices[id(weight)] = weight
        return Shape(n, _shape(x).rows)

    def rms_norm(self, x: Tensor, weight: Weight | None, eps: float, n_group: int = 1) -> Tensor:
        return x

    def layer_norm(
        self, x: Tensor, weight: Weight | None, bias: Weight | None, eps: float, n_group: int = 1
    ) -> Tensor:
        return x

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Tensor:
        return x

    def route(
        self, logits: Tensor, routing: Routing, bias: Weight | None = None, scales: Weight | None = None
    ) -> Routes:
        return routing

    def route_weights(self, routes: Routes) -> Tensor:
        return Shape(routes.n_used)

    def experts(self, x: Tensor, weight: Weight, routes: Routes, bias: Weight | None = None) -> Tensor:
        if not isinstance(weight, ExpertMatrices):
            raise TypeError(f"experts of the cpu backend were expected, not {type(weight).__name__}")
        _, n, k = weight.shape
        self.macs[_shape(x).rows] += routes.n_used * n * k
        self.experts_used.append((weight, routes.n_used))
        return Shape(routes.n_used * n, _shape(x).rows)

    def head_linear(self, x: Tensor, weight: Weight) -> Tensor:
        return self.experts(x, weight, Routing(n_used=weight.shape[0]))

    def head_columns(self, x: Tensor, n_head: int, start: int, stop: int) -> Tensor:
        return Shape(n_head * (stop - start), _shape(x).rows)

    def join_heads(self, x: Tensor, y: Tensor, n_head: int, one: bool = False) -> Tensor:
        return Shape(x.n_columns + y.n_columns * (n_head if one else 1), _shape(x).rows)

    def combine(self, x: Tensor, routes: Routes) -> Tensor:
        return Shape(x.n_columns // routes.n_used, _shape(x).rows)

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
        spec = self._cache.specs[layer]
        assert isinstance(spec, AttentionCache)
        return Shape(q.n_columns // spec.head_dim_k * spec.head_dim_v)

    def top_positions(self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int) -> Positions:
        return _Chosen(n_top)

    def top_blocks(self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int) -> Positions:
        return _Chosen(n_top * size)

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Tensor:
        return x

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Tensor:
        return v

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Tensor:
        return v

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Tensor:
        return v

    def wkv7(
        self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int
    ) -> Tensor:
        return v

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        return x

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        return x

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
        return v

    def silu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        return gate

    def relu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        return gate

    def gelu_mul(self, gate: Tensor, up: Tensor) -> Tensor:
        return gate

    def swiglu_oai(self, gate: Tensor, up: Tensor) -> Tensor:
        return gate

    def sigmoid_scale(self, x: Tensor, gate: Tensor) -> Tensor:
        return x

    def gelu(self, x: Tensor) -> Tensor:
        return x

    def exp(self, x: Tensor) -> Tensor:
        return x

    def silu(self, x: Tensor) -> Tensor:
        return x

    def sigmoid(self, x: Tensor) -> Tensor:
        return x

    def softplus(self, x: Tensor) -> Tensor:
        return x

    def relu_squared(self, x: Tensor) -> Tensor:
        return x

    def xielu(self, x: Tensor, alpha_p: float, alpha_n: float, beta: float, eps: float) -> Tensor:
        return x

    def add(self, x: Tensor, y: Tensor | Weight) -> Tensor:
        return x

    def scale(self, x: Tensor, factor: float) -> Tensor:
        return x

    def multiply(self, x: Tensor, y: Tensor | Weight) -> Tensor:
        return x

    def scale_rows(self, x: Tensor, factors: Tensor) -> Tensor:
        return x

    def match_magnitude(self, x: Tensor, target: Tensor) -> Tensor:
        return x

    def sparsify(self, x: Tensor, n_std: float) -> Tensor:
        return x

    def clamp(self, x: Tensor, limit: float) -> Tensor:
        return x

    def minimum(self, x: Tensor, limit: float) -> Tensor:
        return x

    def softmax(self, x: Tensor) -> Tensor:
        return x

    def softcap(self, x: Tensor, cap: float) -> Tensor:
        return x

    def outputs(self, x: Tensor) -> Tensor:
        return Shape(x.n_columns, OUTPUTS)

    def sequence_first(self, x: Tensor) -> Tensor:
        return Shape(x.n_columns, OUTPUTS)

    def sequence_mean(self, x: Tensor) -> Tensor:
        return Shape(x.n_columns, OUTPUTS)
