"""Parts of a layer that many architectures share: norms and feed-forward networks."""

from __future__ import annotations

from rushlight.backends.base import Ops, Tensor, Weight
from rushlight.models.config import Config
from rushlight.models.linear import Joined
from rushlight.models.weights import Weights


class RmsNorm:
    """``{name}.weight`` [n], over each run of n columns of its input: whole rows, or every head.

    Args:
        weights: of the file.
        name: of the norm.
        n: columns.
        eps: epsilon.
    """

    def __init__(self, weights: Weights, name: str, n: int, eps: float) -> None:
        self._weight, self._n, self._eps = weights.vector(f"{name}.weight", n), n, eps

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The normed rows."""
        return ops.rms_norm(x, self._weight, self._eps, x.n_columns // self._n)


class LayerNorm:
    """``{name}.weight`` [n] and, where the file has it, ``{name}.bias`` [n].

    Args:
        weights: of the file.
        name: of the norm.
        n: columns.
        eps: epsilon.
    """

    def __init__(self, weights: Weights, name: str, n: int, eps: float) -> None:
        self._weight = weights.vector(f"{name}.weight", n)
        self._bias = weights.optional_vector(f"{name}.bias", n)
        self._eps = eps

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The normed rows."""
        return ops.layer_norm(x, self._weight, self._bias, self._eps)


class HeadLayerNorm:
    """``{name}.weight`` [n_head, D]: a layer norm of each head with weights of its own; none without it.

    Args:
        weights: of the file.
        name: of the norm.
        n_head: heads.
        head_dim: columns of each (D).
        eps: epsilon.
    """

    def __init__(self, weights: Weights, name: str, n_head: int, head_dim: int, eps: float) -> None:
        self._weight: Weight | None = weights.optional_rows(f"{name}.weight", n_head, head_dim)
        self._n_head, self._eps = n_head, eps

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The normed heads."""
        if self._weight is None:
            return x
        return ops.layer_norm(x, self._weight, None, self._eps, self._n_head)


class SwiGLU:
    """``ffn_down(silu(ffn_gate(x)) * ffn_up(x))`` of the layer `name`."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff = config.n_embd, config.n_ff
        self._gate_up = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd)
        self._down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        gate, up = self._gate_up(ops, x)
        return self._down(ops, ops.silu_mul(gate, up))


class FusedSwiGLU(SwiGLU):
    """`SwiGLU` whose ``ffn_up`` holds the rows of the gate, then those of up."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, n_ff = config.n_embd, config.n_ff
        self._gate_up = Joined((weights.linear(f"{name}.ffn_up", 2 * n_ff, n_embd),), (n_ff, n_ff))
        self._down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)


class GeGLU(SwiGLU):
    """``ffn_down(gelu(ffn_gate(x)) * ffn_up(x))`` of the layer `name`."""

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        gate, up = self._gate_up(ops, x)
        return self._down(ops, ops.gelu_mul(gate, up))


class FusedGeGLU(FusedSwiGLU):
    """`GeGLU` whose ``ffn_up`` holds the rows of the gate, then those of up."""

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        gate, up = self._gate_up(ops, x)
        return self._down(ops, ops.gelu_mul(gate, up))


class GeluFFN:
    """``ffn_down(gelu(ffn_up(x)))`` of the layer `name`: no gate."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        self._up = weights.linear(f"{name}.ffn_up", config.n_ff, config.n_embd)
        self._down = weights.linear(f"{name}.ffn_down", config.n_embd, config.n_ff)

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        return self._down(ops, ops.gelu(self._up(ops, x)))


class ReluSquaredFFN(GeluFFN):
    """``ffn_down(max(ffn_up(x), 0)^2)`` of the layer `name`."""

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The network's output."""
        return self._down(ops, ops.relu_squared(self._up(ops, x)))
