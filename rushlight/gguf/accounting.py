"""Strict accounting of what a model file says: everything is read, expected, or ignored for a stated reason.

A hyper-parameter that nobody reads gives wrong words and no error: an unread ``attention.sliding_window`` is
right up to the window and nonsense after it. So an architecture reads its configuration through `Accounting`,
and `Accounting.finish` refuses the file if an entry or a tensor is left over::

    with open_gguf(path) as file:
        accounts = Accounting(file, "llama")
        n_layer = accounts.get_int("block_count", min=1)  # reads llama.block_count
        n_head_kv = accounts.get_int("attention.head_count_kv", default=n_head)
        accounts.expect("attention.causal", True, "only causal attention is implemented")
        accounts.ignore("vocab_size", "the embedding tensor says it")
        token_embd = accounts.tensor("token_embd.weight", (n_vocab, n_embd))
        output = accounts.tensor("output.weight", (n_vocab, n_embd), optional=True)
        accounts.finish()

Only keys under the architecture's own prefix are accounted; ``general.*``, ``tokenizer.*``, ``quantize.*``
and ``split.*`` belong to others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.reader import GGUFFile
from rushlight.gguf.strings import StringArray
from rushlight.gguf.tensor import GGUFTensor
from rushlight.gguf.values import shown

T = TypeVar("T")

# The default of a getter whose key must be there; typed Any so that any other default gives its own type.
REQUIRED: Final[Any] = object()


class Accounting:
    """Reads the hyper-parameters and tensors of one model and remembers which were read.

    Every getter takes a key without the architecture's prefix and raises `InvalidFile`, naming the key, when
    it is missing and no default is given, when its type is another, or when its value is outside `min` and
    `max`.

    Args:
        source: an open file, or a metadata mapping on its own (then there are no tensors).
        arch: the value of ``general.architecture``, the prefix of the keys.
    """

    def __init__(self, source: GGUFFile | Mapping[str, Any], arch: str) -> None:
        if isinstance(source, GGUFFile):
            self._metadata, self._tensors = source.metadata, source.tensors
        else:
            self._metadata, self._tensors = source, {}
        self._prefix = f"{arch}."
        self._unread_keys = {key for key in self._metadata if key.startswith(self._prefix)}
        self._unread_tensors = set(self._tensors)

    def under(self, prefix: str) -> Accounting:
        """Accounts of the file's keys under another prefix, which some architecture puts them under."""
        return Accounting(self._metadata, prefix)

    def get_float_or_array(self, key: str, n: int, default: T = REQUIRED) -> tuple[float, ...] | T:
        """`n` finite numbers, one a layer, from an array of `n` or from one that holds for all of them."""
        if not self._has(key, default):
            return default
        value = self._typed(key, (float, np.ndarray), "a number or an array of numbers")
        if isinstance(value, float):
            values = (value,) * n
        elif value.dtype.kind == "f" and len(value) == n:
            values = tuple(value.tolist())
        else:
            raise InvalidFile(
                f"Metadata {self._prefix}{key} is {len(value)} values of type {value.dtype}; "
                f"expected a number or {n} of them."
            )
        if not all(map(math.isfinite, values)):
            raise InvalidFile(f"Metadata {self._prefix}{key} is {value}; expected finite numbers.")
        return values

    def get_int(
        self, key: str, default: T = REQUIRED, *, min: int | None = None, max: int | None = None
    ) -> int | T:
        """An integer, from `min` to `max` inclusive."""
        if not self._has(key, default):
            return default
        value: int = self._typed(key, (int,), "an integer")
        self._check_range(key, value, min, max)
        return value

    def get_float(
        self, key: str, default: T = REQUIRED, *, min: float | None = None, max: float | None = None
    ) -> float | T:
        """A finite number, from `min` to `max` inclusive; an integer counts as one."""
        if not self._has(key, default):
            return default
        value = self._typed(key, (float, int), "a number")
        if not math.isfinite(value):
            raise InvalidFile(f"Metadata {self._prefix}{key} is {value}; expected a finite number.")
        self._check_range(key, value, min, max)
        return float(value)

    def get_bool(self, key: str, default: T = REQUIRED) -> bool | T:
        """A bool."""
        return bool(self._typed(key, (bool,), "a bool")) if self._has(key, default) else default

    def get_str(self, key: str, default: T = REQUIRED, *, choices: Collection[str] | None = None) -> str | T:
        """A string; one outside `choices` is a feature not implemented and raises `UnsupportedModel`."""
        if not self._has(key, default):
            return default
        value: str = self._typed(key, (str,), "a string")
        if choices is not None and value not in choices:
            listed = ", ".join(repr(choice) for choice in choices)
            raise UnsupportedModel(
                f"{self._prefix}{key} is {shown(value)}, which is not supported; supported: {listed}."
            )
        return value

    def get_array(
        self, key: str, default: T = REQUIRED, *, length: int | None = None
    ) -> npt.NDArray[Any] | StringArray | T:
        """An array: NumPy [n] of numbers or bools, or a `StringArray`; of `length` elements if given."""
        if not self._has(key, default):
            return default
        value: npt.NDArray[Any] | StringArray = self._typed(key, (np.ndarray, StringArray), "an array")
        if length is not None and len(value) != length:
            raise InvalidFile(f"Metadata {self._prefix}{key} has {len(value)} elements; expected {length}.")
        return value

    def get_int_or_array(
        self, key: str, n: int, default: T = REQUIRED, *, min: int | None = None, max: int | None = None
    ) -> tuple[int, ...] | T:
        """`n` integers, one a layer, from an array of `n` or from one integer that holds for all of them."""
        if not self._has(key, default):
            return default
        value = self._typed(key, (int, np.ndarray), "an integer or an array of integers")
        if isinstance(value, int):
            values = (value,) * n
        elif value.dtype.kind in "iu" and len(value) == n:
            values = tuple(value.tolist())
        else:
            raise InvalidFile(
                f"Metadata {self._prefix}{key} is {len(value)} values of type {value.dtype}; "
                f"expected an integer or {n} of them."
            )
        for item in values:
            self._check_range(key, item, min, max)
        return values

    def get_int_or_bools(
        self, key: str, n: int, default: T = REQUIRED, *, min: int | None = None
    ) -> int | tuple[bool, ...] | T:
        """An integer of at least `min`, or an array of `n` bools, one a layer."""
        if not self._has(key, default):
            return default
        value = self._typed(key, (int, np.ndarray), "an integer or an array of bools")
        if isinstance(value, int):
            self._check_range(key, value, min, None)
            return value
        if value.dtype != np.bool_ or len(value) != n:
            raise InvalidFile(
                f"Metadata {self._prefix}{key} is {len(value)} values of type {value.dtype}; "
                f"expected an integer or {n} bools."
            )
        return tuple(value.tolist())

    def get_bools(self, key: str, n: int, default: T = REQUIRED) -> tuple[bool, ...] | T:
        """An array of `n` bools, one a layer."""
        if not self._has(key, default):
            return default
        listed = self.get_array(key, length=n)
        if not isinstance(listed, np.ndarray) or listed.dtype != np.bool_:
            raise InvalidFile(f"Metadata {self._prefix}{key} holds no bools; expected one for each layer.")
        return tuple(listed.tolist())

    def expect(self, key: str, value: bool | int | float | str, reason: str) -> None:
        """Accept `key` only if it is absent or equal to `value`.

        Raises:
            UnsupportedModel: it has another value; `reason` says why that one cannot run.
        """
        self._unread_keys.discard(self._prefix + key)
        found = self._metadata.get(self._prefix + key, value)
        is_one = isinstance(found, bool | int | float | str)
        if not is_one or isinstance(found, bool) is not isinstance(value, bool) or found != value:
            raise UnsupportedModel(f"{self._prefix}{key} is {shown(found)}, expected {value!r}: {reason}.")

    def ignore(self, pattern: str, reason: str) -> None:
        """Accept every key that matches `pattern` (a key, or a glob such as ``rope.scaling.*``) unread.

        `reason` is for whoever reads the code: why the result cannot depend on these keys.
        """
        assert reason, "an ignored key needs a reason"
        self._unread_keys -= _matching(self._unread_keys, self._prefix + pattern)

    @overload
    def tensor(
        self, name: str, shape: tuple[int, ...] | None = None, optional: Literal[False] = False
    ) -> GGUFTensor: ...
    @overload
    def tensor(
        self, name: str, shape: tuple[int, ...] | None = None, *, optional: bool
    ) -> GGUFTensor | None: ...
    def tensor(
        self, name: str, shape: tuple[int, ...] | None = None, optional: bool = False
    ) -> GGUFTensor | None:
        """The tensor `name`; None if it is absent and `optional`.

        Outer dimensions of 1 are the file's choice, as in ggml: a vector may be a matrix of one row.

        Raises:
            InvalidFile: it is absent and not optional, or its shape (NumPy order) is not `shape`.
        """
        found = self._tensors.get(name)
        if found is None:
            if optional:
                return None
            raise InvalidFile(f"The file has no tensor {name!r}, which this model needs; it is incomplete.")
        shaped = found if shape is None else found.in_shape(shape)
        if shaped is None:
            raise InvalidFile(f"Tensor {name!r} has the shape {found.shape}; the metadata calls for {shape}.")
        self._unread_tensors.discard(name)
        return shaped

    def has_tensor(self, name: str) -> bool:
        """Whether the file has a tensor of this name, which does not count as reading it."""
        return name in self._tensors

    def ignore_tensor(self, pattern: str, reason: str) -> None:
        """Accept every tensor whose name matches `pattern` (a name or a glob) unread, for `reason`."""
        assert reason, "an ignored tensor needs a reason"
        self._unread_tensors -= _matching(self._unread_tensors, pattern)

    def finish(self) -> None:
        """Close the accounts.

        Raises:
            UnsupportedModel: keys or tensors that nobody read, expected or ignored; all are listed.
        """
        left = [
            f"{kind} {', '.join(sorted(names))}"
            for kind, names in (("metadata", self._unread_keys), ("tensors", self._unread_tensors))
            if names
        ]
        if left:
            raise UnsupportedModel(
                f"This {self._prefix[:-1]} model has {' and '.join(left)}, which this version does not know; "
                "running it without them could give wrong answers."
            )

    def _has(self, key: str, default: Any) -> bool:
        """Mark `key` as read and say whether the file has it; a required one must be there."""
        full = self._prefix + key
        self._unread_keys.discard(full)
        if full not in self._metadata and default is REQUIRED:
            raise InvalidFile(f"The file has no metadata {full}, which this model needs; it is incomplete.")
        return full in self._metadata

    def _typed(self, key: str, types: tuple[type, ...], expected: str) -> Any:
        value = self._metadata[self._prefix + key]
        # bool is a subclass of int, but GGUF keeps them apart.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise InvalidFile(f"Metadata {self._prefix}{key} is {shown(value)}; expected {expected}.")
        return value

    def _check_range(self, key: str, value: Any, low: float | None, high: float | None) -> None:
        if low is not None and value < low:
            raise InvalidFile(f"Metadata {self._prefix}{key} is {value}; expected at least {low}.")
        if high is not None and value > high:
            raise InvalidFile(f"Metadata {self._prefix}{key} is {value}; expected at most {high}.")


def _matching(names: set[str], pattern: str) -> set[str]:
    """Those of some names that a glob matches; most globs are names, which need no search."""
    if not any(character in pattern for character in "*?["):
        return names & {pattern}
    return {name for name in names if fnmatchcase(name, pattern)}
