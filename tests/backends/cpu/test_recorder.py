"""What is recorded: ops, lives of buffers, and the mistakes of a model that are caught while recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.cpu import cpu_backend, randn, tensor

from rushlight.backends.base import RopeTable
from rushlight.backends.cache import AttentionCache, CacheLayout, RecurrentCache
from rushlight.backends.cpu.recorder import Recorder
from rushlight.backends.cpu.recording import OUTPUTS, TOKENS, Value
from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import GGMLType

LAYOUT = CacheLayout.of((AttentionCache(2, 16, 24), RecurrentCache((3,)), AttentionCache(1, 8, 8, window=9)))
BACKEND = cpu_backend()
TABLE = BACKEND.embedding(tensor(randn(4, 64)))


def q8_0(n_rows: int, n_columns: int = 64) -> Any:
    return BACKEND.matrix(tensor(randn(n_rows, n_columns), GGMLType.Q8_0))


def record() -> tuple[Recorder, Value]:
    recorder = Recorder(LAYOUT, "f16")
    return recorder, recorder.embed(TABLE)


def kernels(recorder: Recorder) -> list[str]:
    return [op.kernel for op in recorder.recording.ops]


def test_activations_are_quantized_once_for_each_distinct_input() -> None:
    recorder, x = record()
    first = recorder.linear(x, q8_0(32))
    recorder.linear(x, q8_0(16))
    recorder.linear(x.columns(0, 64), q8_0(16))
    assert kernels(recorder) == ["embed_f32", "quantize_32", *["linear_q8_0"] * 3]
    recorder.linear(x.columns(32, 64), q8_0(16, 32))
    recorder.linear(first, q8_0(16, 32))
    assert kernels(recorder)[5:] == ["quantize_32", "linear_q8_0"] * 2


def test_floating_point_weights_read_activations_as_they_are() -> None:
    recorder, x = record()
    recorder.linear(x, BACKEND.matrix(tensor(randn(3, 64)), tensor(randn(5, 64), GGMLType.BF16)))
    assert kernels(recorder) == ["embed_f32", "linear_f32", "linear_bf16"]


def test_a_buffer_lives_from_its_first_writer_to_its_last_reader() -> None:
    recorder, x = record()
    y = recorder.add(x, x)
    z = recorder.silu_mul(y, x)
    recorder.gelu(z)
    recorder.add(y.columns(0, 8), z.columns(8, 16))
    lives = [(buffer.first, buffer.last) for buffer in recorder.recording.buffers]
    assert lives == [(0, 2), (1, 4), (2, 4), (3, 3), (4, 4)]


def test_quantized_activations_live_as_long_as_they_are_used() -> None:
    recorder, x = record()
    recorder.linear(x, q8_0(16))
    recorder.add(x, x)
    recorder.linear(x, q8_0(16))
    integers = recorder.recording.ops[1].fields["y"]
    assert (integers.first, integers.last) == (1, 4)  # type: ignore[union-attr]


def test_the_program_ends_with_the_highest_number_of_each_row() -> None:
    recorder, x = record()
    found = recorder.argmax(recorder.outputs(x).columns(0, 50))
    assert kernels(recorder) == ["embed_f32", "outputs", "argmax_parts", "argmax"]
    assert (found.rows, found.first, found.last) == (OUTPUTS, 2, 3)


def test_rows_are_whole_vectors_and_views_are_offsets() -> None:
    recorder, x = record()
    y = recorder.linear(x, BACKEND.matrix(tensor(randn(37, 64))))
    assert y.n_columns == 37
    assert y.buffer.row_bytes % 64 == 0
    assert y.buffer.row_bytes >= 4 * 48
    view = y.columns(3, 30).columns(2, 20)
    assert (view.buffer, view.n_columns, view.offset) == (y.buffer, 18, 4 * 5)


def test_outputs_have_rows_of_their_own() -> None:
    recorder, x = record()
    y = recorder.outputs(x)
    assert (x.buffer.rows, y.buffer.rows) == (TOKENS, OUTPUTS)
    assert recorder.linear(y, q8_0(16)).buffer.rows == OUTPUTS
    assert [b.rows for b in recorder.recording.buffers] == [TOKENS, *[OUTPUTS] * 4]


def test_weights_and_tables_are_kept_alive() -> None:
    recorder, x = record()
    matrix, bias = q8_0(16), BACKEND.vector(tensor(randn(16)))
    recorder.linear(x, matrix, bias)
    assert {id(matrix), id(bias)} <= set(map(id, recorder.recording.keep))


def rope_table(n_rot: int, n_positions: int = 10) -> RopeTable:
    ones = np.ones((n_positions, n_rot // 2), np.float32)
    return RopeTable(ones, ones, True)


def test_the_shortest_table_of_angles_bounds_the_positions() -> None:
    recorder, x = record()
    assert recorder.recording.n_positions == 2**31 - 1
    for n_positions in (50, 20, 30):
        recorder.rope(x, rope_table(8, n_positions), 4)
    assert recorder.recording.n_positions == 20


def uneven() -> RopeTable:
    return RopeTable(np.ones((9, 4), np.float32), np.ones((8, 4), np.float32), False)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda ops, x: x.columns(-1, 5),
        lambda ops, x: x.columns(5, 5),
        lambda ops, x: x.columns(5, 65),
        lambda ops, x: ops.linear(x, q8_0(16, 32)),
        lambda ops, x: ops.linear(x, q8_0(16), BACKEND.vector(tensor(randn(15)))),
        lambda ops, x: ops.linear(x, TABLE),
        lambda ops, x: ops.rms_norm(x, BACKEND.vector(tensor(randn(63))), 1e-5),
        lambda ops, x: ops.rms_norm(x, BACKEND.vector(tensor(randn(21))), 1e-5, 3),
        lambda ops, x: ops.layer_norm(
            x, BACKEND.vector(tensor(randn(64))), BACKEND.vector(tensor(randn(8))), 1
        ),
        lambda ops, x: ops.rope(x, rope_table(8), 3),
        lambda ops, x: ops.rope(x, rope_table(18), 4),
        lambda ops, x: ops.rope(x, uneven(), 4),
        lambda ops, x: ops.add(x, x.columns(0, 32)),
        lambda ops, x: ops.add(x, ops.outputs(x)),
        lambda ops, x: ops.attention(x.columns(0, 40), x.columns(0, 32), x.columns(0, 48), 0, 1.0),
        lambda ops, x: ops.attention(x.columns(0, 48), x.columns(0, 32), x.columns(0, 48), 0, 1.0),
        lambda ops, x: ops.attention(x, x.columns(0, 16), x.columns(0, 48), 0, 1.0),
        lambda ops, x: ops.attention(x, x.columns(0, 32), x.columns(0, 32), 0, 1.0),
    ],
)
def test_shapes_that_do_not_fit_are_refused(mistake: Callable[..., Any]) -> None:
    """A kernel checks nothing, so nothing wrong may be recorded."""
    recorder, x = record()
    with pytest.raises(ValueError, match=r"columns|weights|rope"):
        mistake(recorder, x)


def test_tensors_and_weights_of_another_backend_are_refused() -> None:
    recorder, x = record()
    other = ReferenceBackend()
    with pytest.raises(TypeError, match="tensor of the cpu backend"):
        recorder.silu_mul(x, object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="vector of the cpu backend"):
        recorder.rms_norm(x, other.vector(tensor(randn(64))), 1e-5)
    with pytest.raises(TypeError, match="table of the cpu backend"):
        recorder.embed(other.embedding(tensor(randn(4, 64))))
    with pytest.raises(ValueError, match="linear"):
        recorder.linear(x, other.matrix(tensor(randn(4, 64))))


def test_convolutions_that_do_not_fit_their_layer_are_refused() -> None:
    layout = CacheLayout.of((AttentionCache(1, 8, 8), RecurrentCache((0,), (2, 64))))
    recorder = Recorder(layout, "f16")
    x, weight = recorder.embed(TABLE), BACKEND.vector(tensor(randn(192)))
    with pytest.raises(ValueError, match="short_conv of 64 columns in layer 0"):
        recorder.short_conv(x, weight, 0)
    with pytest.raises(ValueError, match="short_conv of 32 columns in layer 1"):
        recorder.short_conv(x.columns(0, 32), weight, 1)
    with pytest.raises(ValueError, match=r"short_conv of 3 taps, 64 columns and weights \(191,\)"):
        recorder.short_conv(x, BACKEND.vector(tensor(randn(191))), 1)
    with pytest.raises(ValueError, match=r"short_conv of 64 columns with bias \(192,\)"):
        recorder.short_conv(x, weight, 1, weight)


@pytest.mark.parametrize(
    ("layer", "columns", "n_head"),
    [(0, 16, 4), (1, 16, 4), (2, 12, 4), (2, 24, 4), (2, 16, 3), (2, 4, 4)],
)
def test_delta_nets_that_do_not_fit_their_layer_are_refused(layer: int, columns: int, n_head: int) -> None:
    specs = AttentionCache(1, 8, 8), RecurrentCache((0,), (2, 64)), RecurrentCache((4, 8, 16))
    recorder = Recorder(CacheLayout.of(specs), "f16")
    x = recorder.embed(TABLE)
    q, heads, a = x.columns(0, columns), x.columns(0, 4), BACKEND.vector(tensor(-np.ones(n_head)))
    with pytest.raises(ValueError, match="gated_delta_net"):
        recorder.gated_delta_net(q, q, x, heads, a, heads, layer)
    with pytest.raises(ValueError, match="kda"):
        recorder.kda(q, q, x, q, heads, layer)


@pytest.mark.parametrize(
    ("layer", "columns", "n"),
    [(0, 32, 32), (1, 32, 32), (2, 16, 32), (2, 64, 32), (2, 32, 16)],
)
def test_linear_attention_that_does_not_fit_its_layer_is_refused(layer: int, columns: int, n: int) -> None:
    specs = AttentionCache(1, 8, 8), RecurrentCache((8, 64)), RecurrentCache((4, 8, 16))
    recorder = Recorder(CacheLayout.of(specs), "f16")
    v = recorder.embed(TABLE)
    q, weight = v.columns(0, columns), BACKEND.vector(tensor(np.ones(n)))
    with pytest.raises(ValueError, match="gated_linear_attention"):
        recorder.gated_linear_attention(q, q, v, weight, layer)
    with pytest.raises(ValueError, match="wkv6"):
        recorder.wkv6(q, q, v, q, weight, layer)
    with pytest.raises(ValueError, match="wkv7"):
        recorder.wkv7(q, v.columns(0, 32), v, q, q, v.columns(0, n), layer)


@pytest.mark.parametrize(
    ("layer", "columns", "n_b", "n_a"),
    [(0, 64, 16, 4), (1, 64, 16, 4), (2, 48, 16, 4), (2, 64, 12, 4), (2, 64, 24, 4), (2, 64, 16, 3)],
)
def test_scans_that_do_not_fit_their_layer_are_refused(layer: int, columns: int, n_b: int, n_a: int) -> None:
    specs = AttentionCache(1, 8, 8), RecurrentCache((8, 64)), RecurrentCache((4, 8, 16))
    recorder = Recorder(CacheLayout.of(specs), "f16")
    x = recorder.embed(TABLE)
    b, a = x.columns(0, n_b), BACKEND.vector(tensor(-np.ones(n_a)))
    with pytest.raises(ValueError, match="ssm_scan"):
        recorder.ssm_scan(x.columns(0, columns), x.columns(0, 4), a, b, b, layer)
    with pytest.raises(ValueError, match="selective_scan"):
        recorder.selective_scan(x.columns(0, columns), x, a, b, b, layer)


def test_a_recurrent_layer_has_no_attention() -> None:
    recorder, x = record()
    with pytest.raises(ValueError, match="attention in layer 1"):
        recorder.attention(x, x, x, 1, 1.0)
