"""What a model takes from its file: each tensor by its GGUF name, checked and handed to the backend."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rushlight.backends.base import Weight
from rushlight.errors import InvalidFile
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.models.config import Config
from rushlight.models.linear import ExpertLinear, Joined, Linear, NoHead
from rushlight.models.rope import Float64Array, RopeFactors
from rushlight.models.scales import with_scales
from rushlight.models.vectors import Vectors
from rushlight.quants import dequantize


class Weights(Vectors):
    """The tensors of a file, its vectors and matrices, taken by an architecture.

    Every method raises InvalidFile for a tensor that is missing or has another shape.

    Args:
        accounts: of the file.
        backend: takes the tensors over.
    """

    def regrouped(self, name: str, n_group: int, sizes: tuple[int, ...], k: int) -> Linear:
        """``{name}.weight`` [n_group * sum of sizes, k], each group a run of rows of each size.

        The matrix has the first runs of all groups, then the second ones, and so on.
        """
        tensor = self._matrix(f"{name}.weight", (n_group * sum(sizes), k))
        rows = tensor.raw.reshape(n_group, sum(sizes), -1)
        starts = np.cumsum((0, *sizes)).tolist()
        runs = [
            rows[:, start : start + n].reshape(n_group * n, -1)
            for start, n in zip(starts, sizes, strict=False)
        ]
        return Linear(self._backend.matrix(*(replace(tensor, shape=(len(raw), k), raw=raw) for raw in runs)))

    def halves(self, name: str, n_head: int, head_dim: int, k: int) -> tuple[Linear, Linear]:
        """``{name}.weight`` [n_head * 2 * head_dim, k]: the first half of each head's rows, the second."""
        tensor = self._matrix(f"{name}.weight", (n_head * 2 * head_dim, k))
        rows = tensor.raw.reshape(n_head, 2, head_dim, -1)
        first, second = (
            replace(tensor, shape=(n_head * head_dim, k), raw=rows[:, i].reshape(n_head * head_dim, -1))
            for i in range(2)
        )
        return Linear(self._backend.matrix(first)), Linear(self._backend.matrix(second))

    def split(self, name: str, sizes: tuple[int, ...], k: int) -> list[Linear]:
        """``{name}.weight`` [sum of sizes, k] as a matrix for each run of rows."""
        tensor = self._matrix(f"{name}.weight", (sum(sizes), k))
        starts = np.cumsum((0, *sizes)).tolist()
        runs = [tensor.raw[start : start + n] for start, n in zip(starts, sizes, strict=False)]
        parts = [replace(tensor, shape=(len(raw), k), raw=raw) for raw in runs]
        return [Linear(self._backend.matrix(part)) for part in parts]

    def linear(self, name: str, n: int, k: int, scaled: bool = True) -> Linear:
        """``{name}.weight`` [n, k], with ``{name}.bias`` [n] where the file has it.

        Args:
            name, n, k: of the matrix.
            scaled: whether ``{name}.scale`` is a factor of its products, as it is but where an architecture
                has another use for it.
        """
        tensor = self._matrix(f"{name}.weight", (n, k), scaled)
        return Linear(self._backend.matrix(tensor), self.optional_vector(f"{name}.bias", n))

    def row(self, name: str, k: int) -> Weight:
        """A vector [k] as a matrix of one row."""
        tensor = self._accounts.tensor(name, (k,))
        return self._backend.matrix(replace(tensor, shape=(1, k), raw=tensor.raw.reshape(1, -1)))

    def head_rows(self, name: str, n_head: int, k: int) -> Weight:
        """A vector [n_head * k] as a matrix [1, k] of each head, for `Ops.head_linear`."""
        tensor = self._accounts.tensor(name)
        if math.prod(tensor.shape) != n_head * k:
            raise InvalidFile(f"Tensor {name!r} has the shape {tensor.shape}; expected {n_head * k} numbers.")
        values = dequantize(tensor.raw, tensor.type).astype(np.float32).reshape(n_head, 1, k)
        return self._backend.experts(GGUFTensor(name, values.shape, GGMLType.F32, values.view(np.uint8)))

    def experts(self, name: str, n_expert: int, n: int, k: int, scaled: bool = True) -> ExpertLinear:
        """``{name}.weight`` [n_expert, n, k], with ``{name}.bias`` [n_expert, n] where the file has it.

        `scaled` is as of `linear`; there is a factor for each expert.
        """
        tensor = self._matrix(f"{name}.weight", (n_expert, n, k), scaled)
        bias = self._accounts.tensor(f"{name}.bias", (n_expert, n), optional=True)
        return self._experts(tensor, bias)

    def experts_of(self, name: str, n_expert: int, n: int, k: int) -> Weight:
        """The matrices `name` [n_expert, n, k], a tensor whose name is not one of weights."""
        return self._backend.experts(self._accounts.tensor(name, (n_expert, n, k)))

    def gate_up_experts(
        self, block: str, n_expert: int, n_ff: int, n_embd: int
    ) -> tuple[ExpertLinear, ExpertLinear]:
        """``ffn_gate_exps`` and ``ffn_up_exps``; in ``ffn_gate_up_exps`` an expert's gate is above its up."""
        both = f"{block}.ffn_gate_up_exps"
        if not self.has(f"{both}.weight"):
            gate, up = (f"{block}.ffn_{part}_exps" for part in ("gate", "up"))
            return self.experts(gate, n_expert, n_ff, n_embd), self.experts(up, n_expert, n_ff, n_embd)
        tensor = self._matrix(f"{both}.weight", (n_expert, 2 * n_ff, n_embd))
        bias = self._accounts.tensor(f"{both}.bias", (n_expert, 2 * n_ff), optional=True)
        parts = (slice(0, n_ff), slice(n_ff, 2 * n_ff))
        gate_part, up_part = (self._experts(_rows(tensor, rows), bias, rows) for rows in parts)
        return gate_part, up_part

    def stack(self, name: str, count: int, n: int, k: int) -> list[Linear]:
        """The matrices [n, k] of one tensor ``{name}.weight`` [count, n, k]."""
        tensor = self._matrix(f"{name}.weight", (count, n, k))
        parts = [
            replace(tensor, shape=(n, k), raw=tensor.raw[i], scales=tensor.scales[i : i + 1])
            for i in range(count)
        ]
        return [Linear(self._backend.matrix(part)) for part in parts]

    def joined(self, names: tuple[str, ...], sizes: tuple[int, ...], k: int) -> Joined:
        """``{name}.weight`` [size, k] of each name; one matrix unless they have biases of their own."""
        rows = list(zip(names, sizes, strict=True))
        biases = [self.optional_vector(f"{name}.bias", n) for name, n in rows]
        tensors = [self._matrix(f"{name}.weight", (n, k)) for name, n in rows]
        if any(bias is not None for bias in biases):
            pairs = zip(tensors, biases, strict=True)
            return Joined(tuple(Linear(self._backend.matrix(tensor), bias) for tensor, bias in pairs), sizes)
        return Joined((Linear(self._backend.matrix(*tensors)),), sizes)

    def qkv(self, block: str, config: Config) -> Joined:
        """Queries, keys, values: ``attn_qkv`` if the file has it, or ``attn_q``, ``attn_k``, ``attn_v``."""
        n_head_kv = config.n_head_kv
        sizes = (
            config.n_head * config.n_embd_head_k,
            n_head_kv * config.n_embd_head_k,
            n_head_kv * config.n_embd_head_v,
        )
        if self._accounts.tensor(f"{block}.attn_qkv.weight", optional=True) is not None:
            return Joined((self.linear(f"{block}.attn_qkv", sum(sizes), config.n_embd),), sizes)
        return self.joined((f"{block}.attn_q", f"{block}.attn_k", f"{block}.attn_v"), sizes, config.n_embd)

    def positions(self, n: int, n_embd: int) -> Weight:
        """``position_embd.weight`` [n, n_embd] for `Ops.embed_positions`, in float32."""
        tensor = self._accounts.tensor("position_embd.weight", (n, n_embd))
        values = dequantize(tensor.raw, tensor.type)
        raw = np.ascontiguousarray(values, np.float32).view(np.uint8)
        return self._backend.embedding(replace(tensor, type=GGMLType.F32, raw=raw))

    def of_positions(self, values: Float64Array) -> Weight:
        """One number for each position, float64 [n], for `Ops.embed_positions`."""
        raw = values.astype(np.float32).view(np.uint8).reshape(len(values), -1)
        return self._backend.embedding(GGUFTensor("of positions", (len(values), 1), GGMLType.F32, raw))

    def made_table(self, values: npt.NDArray[np.float32]) -> Weight:
        """Numbers [n, k] that no tensor holds, for `Ops.embed`."""
        raw = np.ascontiguousarray(values).view(np.uint8)
        return self._backend.embedding(GGUFTensor("a table", values.shape, GGMLType.F32, raw))

    def made_matrix(self, values: npt.NDArray[np.float32]) -> Weight:
        """Numbers [n, k] that no tensor holds, for `Ops.linear`."""
        raw = np.ascontiguousarray(values).view(np.uint8)
        return self._backend.matrix(GGUFTensor("a matrix", values.shape, GGMLType.F32, raw))

    def replaced_embedding(self, n_embd: int, rows: Mapping[int, int]) -> Weight:
        """``token_embd.weight`` [V, n_embd] in which some rows are copies of others, in memory."""
        tensor = self._embedding_tensor(n_embd)
        raw = tensor.raw.copy()
        raw[list(rows)] = tensor.raw[list(rows.values())]
        return self._backend.embedding(replace(tensor, raw=raw))

    def table(self, name: str, n: int, k: int) -> Weight:
        """A table [n, k] for `Ops.embed` beside that of the embedding."""
        return self._backend.embedding(self._accounts.tensor(name, (n, k)))

    def embedding(self, n_embd: int) -> tuple[Weight, int]:
        """``token_embd.weight`` [V, n_embd], and V."""
        tensor = self._embedding_tensor(n_embd)
        return self._backend.embedding(tensor), tensor.shape[0]

    def output(self, n_vocab: int, n_embd: int) -> Linear:
        """``output`` [n_vocab, n_embd]; a file without it ties it to the embedding."""
        if self._accounts.tensor("output.weight", optional=True) is not None:
            return self.linear("output", n_vocab, n_embd)
        return Linear(self._backend.matrix(self._embedding_tensor(n_embd)))

    def no_head(self) -> NoHead:
        """In place of `output`; a head that the file has stays in it."""
        self._accounts.ignore_tensor("output.*", "an embedding is made of what would go into the head")
        return NoHead()

    def rope_factors(self, config: Config) -> RopeFactors | None:
        """LongRoPE's two sets of factors where ``rope.scaling.type`` says so, otherwise Llama 3's, if any."""
        if config.rope_scaling.type == "longrope":
            return self.longrope_factors(config.n_rot, optional=False)
        return self.rope_freqs(config.n_rot)

    def rope_freqs(self, n_rot: int, optional: bool = True) -> RopeFactors | None:
        """The one set of RoPE factors of Llama 3, ``rope_freqs.weight`` [n_rot / 2], if the file has it."""
        factors = self._factors("rope_freqs.weight", n_rot, optional)
        return None if factors is None else RopeFactors(factors)

    def longrope_factors(self, n_rot: int, optional: bool) -> RopeFactors | None:
        """LongRoPE's ``rope_factors_short.weight`` and ``rope_factors_long.weight``, each [n_rot / 2]."""
        long = self._factors("rope_factors_long.weight", n_rot, optional)
        short = self._factors("rope_factors_short.weight", n_rot, optional=long is None)
        return None if short is None else RopeFactors(short, long)

    def _matrix(self, name: str, shape: tuple[int, ...], scaled: bool = True) -> GGUFTensor:
        tensor = self._accounts.tensor(name, shape)
        return with_scales(self._accounts, tensor) if scaled else tensor

    def _experts(
        self, tensor: GGUFTensor, bias: GGUFTensor | None, columns: slice = slice(None)
    ) -> ExpertLinear:
        """Experts with the given columns of a bias."""
        weight = self._backend.experts(tensor)
        if bias is None:
            return ExpertLinear(weight)
        values = np.ascontiguousarray(dequantize(bias.raw, bias.type)[:, columns])
        own = GGUFTensor(bias.name, values.shape, GGMLType.F32, values.view(np.uint8))
        return ExpertLinear(weight, self._backend.vector(own))

    def _factors(self, name: str, n_rot: int, optional: bool) -> Float64Array | None:
        tensor = self._accounts.tensor(name, (n_rot // 2,), optional=optional)
        if tensor is None:
            return None
        with np.errstate(invalid="ignore"):  # a signalling NaN; what is not a number is refused below
            factors = dequantize(tensor.raw, tensor.type).astype(np.float64)
        if not np.all(np.isfinite(factors) & (factors > 0)):
            raise InvalidFile(
                f"Tensor {name} holds {factors.min()}; RoPE factors must be positive and finite."
            )
        return factors

    def _embedding_tensor(self, n_embd: int) -> GGUFTensor:
        tensor = self._accounts.tensor("token_embd.weight")
        if tensor.shape[1:] != (n_embd,):
            raise InvalidFile(
                f"Tensor token_embd.weight has the shape {tensor.shape}; expected (V, {n_embd})."
            )
        return tensor


def _rows(experts: GGUFTensor, rows: slice) -> GGUFTensor:
    """Some rows of every expert."""
    raw = experts.raw[:, rows]
    return replace(experts, shape=(*raw.shape[:2], experts.shape[2]), raw=raw)
