"""What a model takes from its file besides matrices: norms, biases, taps and single numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rushlight.backends.base import Backend, Weight
from rushlight.errors import InvalidFile
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.accounting import Accounting
from rushlight.quants import dequantize


class Vectors:
    """The vectors of a file, taken by name through its accounts and given to a backend.

    Every method raises InvalidFile for a tensor that is missing or has another shape.

    Args:
        accounts: of the file.
        backend: takes the tensors over.
    """

    def __init__(self, accounts: Accounting, backend: Backend) -> None:
        self._accounts = accounts
        self._backend = backend

    def has(self, name: str) -> bool:
        """Whether the file has a tensor of this name."""
        return self._accounts.has_tensor(name)

    def rows(self, name: str) -> int:
        """Rows of a matrix whose number no metadata tells."""
        return self._accounts.tensor(name).shape[0]

    def vector(self, name: str, n: int) -> Weight:
        """A norm weight or bias [n]."""
        return self._backend.vector(self._accounts.tensor(name, (n,)))

    def optional_vector(self, name: str, n: int) -> Weight | None:
        """A bias [n], if the file has it."""
        tensor = self._accounts.tensor(name, (n,), optional=True)
        return None if tensor is None else self._backend.vector(tensor)

    def constant(self, value: float, n: int) -> Weight:
        """A vector [n] of one number, such as the weights of a norm that has none."""
        raw = np.full(n, value, np.float32).view(np.uint8)
        return self._backend.vector(GGUFTensor("constant", (n,), GGMLType.F32, raw))

    def numbers(self, values: list[float]) -> Weight:
        """A vector of numbers that no tensor holds."""
        raw = np.array(values, np.float32).view(np.uint8)
        return self._backend.vector(GGUFTensor("numbers", (len(values),), GGMLType.F32, raw))

    def optional_first_row(self, name: str, k: int) -> Weight | None:
        """The first row of a table [n, k] as a vector [k], if the file has it."""
        if not self.has(name):
            return None
        tensor = self._accounts.tensor(name)
        if len(tensor.shape) != 2 or tensor.shape[1] != k or not tensor.shape[0]:
            raise InvalidFile(f"Tensor {name!r} has the shape {tensor.shape}; expected (n, {k}).")
        return self._backend.vector(replace(tensor, shape=(k,), raw=tensor.raw[0]))

    def flat(self, name: str, n: int, k: int) -> Weight:
        """A table [n, k], such as norm weights of heads, as a vector [n * k], row after row."""
        tensor = self._accounts.tensor(name, (n, k))
        return self._backend.vector(replace(tensor, shape=(n * k,), raw=tensor.raw.reshape(-1)))

    def vectors(self, name: str, n: int, k: int) -> list[Weight]:
        """The rows of a table [n, k], which may have axes of length 1 beside, as n vectors [k]."""
        tensor = self._accounts.tensor(name)
        if (
            math.prod(tensor.shape) != n * k
            or tensor.shape[-1] not in (k, 1)
            or max(tensor.shape) > max(n, k)
        ):
            raise InvalidFile(f"Tensor {name!r} has the shape {tensor.shape}; expected ({n}, {k}).")
        rows = dequantize(tensor.raw, tensor.type).astype(np.float32).reshape(n, k)
        return [
            self._backend.vector(GGUFTensor(name, (k,), GGMLType.F32, row.view(np.uint8))) for row in rows
        ]

    def repeated(self, name: str, n: int, k: int) -> Weight:
        """Each of n numbers, whose tensor may have axes of length 1 beside, k times: a vector [n * k]."""
        tensor = self._accounts.tensor(name)
        if math.prod(tensor.shape) != n or max(tensor.shape) != n:
            raise InvalidFile(f"Tensor {name!r} has the shape {tensor.shape}; expected {n} numbers.")
        values = np.repeat(dequantize(tensor.raw, tensor.type).astype(np.float32).reshape(-1), k)
        return self._backend.vector(GGUFTensor(name, (n * k,), GGMLType.F32, values.view(np.uint8)))

    def columns(self, name: str, n: int, k: int) -> Weight:
        """A table [n, k], such as the taps of a convolution, as a vector [k * n], column after column."""
        return self._columns(name, [self._accounts.tensor(name, (n, k))], k)

    def joined_columns(self, names: tuple[str, ...], n: int, k: int) -> Weight:
        """Tables one below the other, as `columns` takes one; they may have axes of length 1 beside."""
        tensors = [self._accounts.tensor(name) for name in names]
        for tensor in tensors:
            if tuple(length for length in tensor.shape if length > 1) != (n, k):
                raise InvalidFile(
                    f"Tensor {tensor.name!r} has the shape {tensor.shape}; expected ({n}, {k})."
                )
        return self._columns("columns", tensors, k)

    def _columns(self, name: str, tensors: list[GGUFTensor], k: int) -> Weight:
        rows = [dequantize(tensor.raw, tensor.type).astype(np.float32).reshape(-1, k) for tensor in tensors]
        values = np.ascontiguousarray(np.concatenate(rows).T).reshape(-1)
        return self._backend.vector(GGUFTensor(name, values.shape, GGMLType.F32, values.view(np.uint8)))

    def optional_rows(self, name: str, n_head: int, head_dim: int) -> Weight | None:
        """A norm weight for each head [n_head, head_dim], row after row, if the file has it."""
        tensor = self._accounts.tensor(name, (n_head, head_dim), optional=True)
        if tensor is None:
            return None
        return self._backend.vector(replace(tensor, shape=(n_head * head_dim,), raw=tensor.raw.reshape(-1)))

    def number(self, name: str, default: float) -> float:
        """A tensor of one number, `default` where the file has none."""
        tensor = self._accounts.tensor(name, (1,), optional=True)
        if tensor is None:
            return default
        number = float(dequantize(tensor.raw, tensor.type).reshape(-1)[0])
        if not math.isfinite(number):
            raise InvalidFile(f"Tensor {name} holds {number}; expected a finite number.")
        return number
