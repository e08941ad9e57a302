"""Recording ops that work on each row, or each number, alone."""

from __future__ import annotations

from rushlight.backends.cpu.op_recorder import OpRecorder, as_value, as_vector, rows_of
from rushlight.backends.cpu.recording import Field, Value
from rushlight.backends.cpu.weights import Vector
from rushlight.backends.tensors import Tensor, Weight


class ElementwiseRecorder(OpRecorder):
    """Activations, sums and products: each call appends one op."""

    def silu_mul(self, gate: Tensor, up: Tensor) -> Value:
        """See `Ops.silu_mul`."""
        return self._binary("silu_mul", gate, up)

    def relu_mul(self, gate: Tensor, up: Tensor) -> Value:
        """See `Ops.relu_mul`."""
        return self._binary("relu_mul", gate, up)

    def gelu_mul(self, gate: Tensor, up: Tensor) -> Value:
        """See `Ops.gelu_mul`."""
        return self._binary("gelu_mul", gate, up)

    def swiglu_oai(self, gate: Tensor, up: Tensor) -> Value:
        """See `Ops.swiglu_oai`."""
        return self._binary("swiglu_oai", gate, up)

    def sigmoid_scale(self, x: Tensor, gate: Tensor) -> Value:
        """See `Ops.sigmoid_scale`."""
        x, gate = as_value(x), as_value(gate)
        if gate.n_columns != 1 or gate.buffer.rows != x.buffer.rows:
            raise ValueError(f"sigmoid_scale by {gate.n_columns} columns")
        y = self._new(x.buffer.rows, x.n_columns)
        scale: dict[str, Field] = {"z": gate, "z_stride": gate.buffer.row_bytes, "n": x.n_columns}
        self._add_op("sigmoid_scale", {**rows_of(x, y), **scale})
        return y

    def gelu(self, x: Tensor) -> Value:
        """See `Ops.gelu`."""
        return self._binary("gelu", x, x)

    def exp(self, x: Tensor) -> Value:
        """See `Ops.exp`."""
        return self._binary("exp", x, x)

    def silu(self, x: Tensor) -> Value:
        """See `Ops.silu`."""
        return self._binary("silu", x, x)

    def sigmoid(self, x: Tensor) -> Value:
        """See `Ops.sigmoid`."""
        return self._binary("sigmoid", x, x)

    def softplus(self, x: Tensor) -> Value:
        """See `Ops.softplus`."""
        return self._binary("softplus", x, x)

    def relu_squared(self, x: Tensor) -> Value:
        """See `Ops.relu_squared`."""
        return self._binary("relu_squared", x, x)

    def xielu(self, x: Tensor, alpha_p: float, alpha_n: float, beta: float, eps: float) -> Value:
        """See `Ops.xielu`."""
        x = as_value(x)
        y = self._new(x.buffer.rows, x.n_columns)
        scalars = {"alpha_p": alpha_p, "alpha_n": alpha_n, "beta": beta, "eps": eps}
        self._add_op("xielu", {**rows_of(x, y), "n": x.n_columns, **scalars})
        return y

    def add(self, x: Tensor, y: Tensor | Weight) -> Value:
        """See `Ops.add`."""
        return self._with_tensor_or_columns("add", x, y)

    def scale(self, x: Tensor, factor: float) -> Value:
        """See `Ops.scale`."""
        return self._by_scalar("scale", x, factor)

    def multiply(self, x: Tensor, y: Tensor | Weight) -> Value:
        """See `Ops.multiply`."""
        return self._with_tensor_or_columns("multiply", x, y)

    def _with_tensor_or_columns(self, kernel: str, x: Tensor, y: Tensor | Weight) -> Value:
        """An op with another tensor, or with a vector for every row."""
        if isinstance(y, Value):
            return self._binary(kernel, x, y)
        return self._with_columns(kernel, as_value(x), as_vector(y))

    def _with_columns(self, kernel: str, x: Value, vector: Vector) -> Value:
        if vector.shape != (x.n_columns,):
            raise ValueError(f"{kernel} of {x.n_columns} columns with weights {vector.shape}")
        y = self._new(x.buffer.rows, x.n_columns)
        self.recording.keep.append(vector)
        self._add_op(kernel, {**rows_of(x, y), "z": vector.address, "z_stride": 0, "n": x.n_columns})
        return y

    def scale_rows(self, x: Tensor, factors: Tensor) -> Value:
        """See `Ops.scale_rows`."""
        x, z = as_value(x), as_value(factors)
        n, rest = divmod(x.n_columns, z.n_columns)
        if rest or x.buffer.rows != z.buffer.rows:
            raise ValueError(f"scale_rows of {x.n_columns} columns with {z.n_columns} columns of factors")
        y = self._new(x.buffer.rows, x.n_columns)
        sizes = {"n": n, "n_group": z.n_columns}
        self._add_op("scale_rows", {**rows_of(x, y), "z": z, "z_stride": z.buffer.row_bytes, **sizes})
        return y

    def match_magnitude(self, x: Tensor, target: Tensor) -> Value:
        """See `Ops.match_magnitude`."""
        return self._binary("match_magnitude", x, target)

    def sparsify(self, x: Tensor, n_std: float) -> Value:
        """See `Ops.sparsify`."""
        return self._by_scalar("sparsify", x, n_std)

    def clamp(self, x: Tensor, limit: float) -> Value:
        """See `Ops.clamp`."""
        return self._by_scalar("clamp", x, limit)

    def minimum(self, x: Tensor, limit: float) -> Value:
        """See `Ops.minimum`."""
        return self._by_scalar("minimum", x, limit)

    def softmax(self, x: Tensor) -> Value:
        """See `Ops.softmax`."""
        return self._binary("softmax", x, x)

    def softcap(self, x: Tensor, cap: float) -> Value:
        """See `Ops.softcap`."""
        return self._by_scalar("softcap", x, cap)

    def _by_scalar(self, kernel: str, x: Tensor, scalar: float) -> Value:
        x = as_value(x)
        y = self._new(x.buffer.rows, x.n_columns)
        self._add_op(kernel, {**rows_of(x, y), "n": x.n_columns, "scalar": scalar})
        return y

    def _binary(self, kernel: str, x: Tensor, z: Tensor) -> Value:
        x, z = as_value(x), as_value(z)
        if x.n_columns != z.n_columns or x.buffer.rows != z.buffer.rows:
            raise ValueError(f"{kernel} of {x.n_columns} and {z.n_columns} columns")
        y = self._new(x.buffer.rows, x.n_columns)
        self._add_op(kernel, {**rows_of(x, y), "z": z, "z_stride": z.buffer.row_bytes, "n": x.n_columns})
        return y
