"""The head of a reranker: from the hidden state of a query and a document to a score."""

from __future__ import annotations

from rushlight.backends.base import Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.models.config import Config
from rushlight.models.layers import LayerNorm
from rushlight.models.weights import Weights


class RankHead:
    """``cls.output(norm(act(cls(x))))``: [rows, E] to [rows, n]; a file may leave one of both out.

    Source: ``llm_graph_context::build_pooling`` in llama.cpp's ``src/llama-graph.cpp``.

    Args:
        weights: of the file.
        config: hyper-parameters.
        gelu: what follows ``cls`` is GELU, then ``cls.norm`` where the file has it; otherwise tanh.

    Raises:
        InvalidFile: the file has neither.
    """

    def __init__(self, weights: Weights, config: Config, gelu: bool = False) -> None:
        n_embd, n = config.n_embd, config.n_cls_out
        has_cls, has_output = weights.has("cls.weight"), weights.has("cls.output.weight")
        if not has_cls and not has_output:
            raise InvalidFile(
                "The file says that it is a reranker (pooling_type 4), but has neither cls.weight nor "
                "cls.output.weight; it is incomplete."
            )
        self._cls = weights.linear("cls", n_embd if has_output else n, n_embd) if has_cls else None
        self._gelu = gelu
        has_norm = gelu and weights.has("cls.norm.weight")
        self._norm = LayerNorm(weights, "cls.norm", n_embd, config.norm_eps) if has_norm else None
        self._output = weights.linear("cls.output", n, n_embd) if has_output else None

    def __call__(self, ops: Ops, x: Tensor) -> Tensor:
        """The scores."""
        if self._cls is not None:
            x = self._cls(ops, x)
            x = ops.gelu(x) if self._gelu else ops.softcap(x, 1.0)  # with 1, that is tanh
        if self._norm is not None:
            x = self._norm(ops, x)
        return x if self._output is None else self._output(ops, x)
