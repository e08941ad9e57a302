"""The records that kernels read: NumPy structured dtypes, so that Python writes and kernels read by name.

An op record begins with the kernel's address and the counter that hands out its work. Addresses and strides
are in bytes. Rows of an op are the step's tokens (`rows` = 0) or its outputs (`rows` = 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rushlight.drawing import MOST_OF_TOP

OP_BYTES = 192
"""Distance from one op record to the next; a multiple of the cache line."""

STEP = np.dtype(
    [
        ("n_tokens", "i8"),
        ("n_outputs", "i8"),
        ("token_ids", "i8"),
        ("positions", "i8"),
        ("token_seq", "i8"),
        ("query_start", "i8"),
        ("outputs", "i8"),
        ("tables", "i8"),
        ("scratch", "i8"),
        ("scratch_stride", "i8"),
        ("workspace", "i8"),
    ]
)
"""One step. `tables` points to pairs (address, row stride) of block tables, one a cache group; `scratch` to
a piece of memory for each thread and `workspace` to one for all (see `scratch`)."""

TEAM = np.dtype(
    [
        ("arrived", "i8"),
        ("pad0", "i8", 7),
        ("phase", "i8"),
        ("pad1", "i8", 7),
        ("posted", "i8"),
        ("program", "i8"),
        ("step", "i8"),
        ("yield_thread", "i8"),
        ("finished", "i8"),
        ("spins", "i8"),
        ("pad2", "i8", 2),
    ]
)
"""What the threads of a team share. `arrived` and `phase` are the barrier's, each on a cache line of its own.
`posted` counts the programs handed out, times `ASLEEP_LIMIT`, plus the threads that sleep; `program` and
`step` are those of the program at hand, `finished` is 1 once it is done; `yield_thread` is the system's
function; `spins` is how long thread 0 found it worth while to spin."""

MOST_SPINS, LEAST_SPINS = 1000, 32
"""Looks before a waiting thread gives its processor away: at most some tens of microseconds."""

ASLEEP_LIMIT = 1 << 16
"""More than the threads of any team."""

AGAIN = 1
"""Behind the last op of a program, in place of a kernel: the program begins anew."""

META_BYTES = {32: 16, 256: 96}
"""Bytes beside each block of quantized activations, by its columns. Both begin with the float32 scale.

32 columns: the scale times the sum of the block, float32, at `META_SUM`; the sum times -8, int32, at
`META_START`; that of the first 16 columns times -16, int32, at `META_HALF`. 256 columns: the sums of each 16
columns times -32, 16 int32, at `META_STARTS`; the sums of each 32 columns as ``low + 128 * high``, 8 int8 of
each, at `META_LOW` and `META_HIGH`.
"""

META_SUM, META_START, META_HALF = 4, 8, 12
META_STARTS, META_LOW, META_HIGH = 16, 80, 88


def _record(
    *addresses: str, floats: tuple[str, ...] = (), doubles: tuple[str, ...] = ()
) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("kernel", "i8"), ("next", "i8")]
    fields += [(name, "i8") for name in addresses] + [(name, "f8") for name in doubles]
    fields += [(name, "f4") for name in floats]
    dtype = np.dtype(fields, align=True)
    if dtype.itemsize > OP_BYTES:
        raise AssertionError(f"record of {dtype.itemsize} bytes is larger than {OP_BYTES}")
    return dtype


QUANTIZE = _record("rows", "x", "x_stride", "y", "y_stride", "meta", "meta_stride", "n")
LINEAR = _record(
    "rows",
    "x",
    "x_stride",
    "meta",
    "meta_stride",
    "weight",
    "bias",
    "residual",
    "residual_stride",
    "y",
    "y_stride",
    "n_groups",
    "n_blocks",
    floats=("scale",),
)
NORM = _record("rows", "x", "x_stride", "weight", "bias", "y", "y_stride", "n", "n_group", floats=("eps",))
NORM_QUANTIZE = _record(
    "rows", "x", "x_stride", "weight", "y", "y_stride", "meta", "meta_stride", "n", floats=("eps",)
)
ROPE = _record("rows", "x", "x_stride", "y", "y_stride", "cos", "sin", "n_head", "head_dim", "n_rot")
STORE_KV = _record(
    "k", "k_stride", "v", "v_stride", "k_cache", "v_cache", "group", "n_head_kv", "head_dim_k", "head_dim_v"
)
ATTENTION = _record(
    "q",
    "q_stride",
    "y",
    "y_stride",
    "k_cache",
    "v_cache",
    "group",
    "n_head",
    "n_head_kv",
    "head_dim_k",
    "head_dim_v",
    "window",
    "chunked",
    "ahead",
    "sinks",
    "slopes",
    "chosen",
    "chosen_stride",
    "chosen_head",
    "n_top",
    floats=("scale", "softcap"),
)
TOP_POSITIONS = _record(
    "q", "q_stride", "z", "z_stride", "k_cache", "group", "y", "y_stride", "n_head", "head_dim", "n_top"
)
TOP_BLOCKS = _record(
    "q", "q_stride", "k_cache", "group", "y", "y_stride", "n_head", "head_dim", "n_top", "size", "n_local"
)
SHORT_CONV = _record("x", "x_stride", "weight", "bias", "kept", "group", "y", "y_stride", "n", "n_taps")
GATED_DELTA_NET = _record(
    "q",
    "q_stride",
    "k",
    "k_stride",
    "v",
    "v_stride",
    "dt",
    "dt_stride",
    "a",
    "beta",
    "beta_stride",
    "state",
    "group",
    "y",
    "y_stride",
    "n_head",
    "n_head_kv",
    "n_run",
    "head_dim_k",
    "head_dim_v",
)
KDA = _record(
    "q",
    "q_stride",
    "k",
    "k_stride",
    "v",
    "v_stride",
    "decay",
    "decay_stride",
    "beta",
    "beta_stride",
    "state",
    "group",
    "y",
    "y_stride",
    "n_head",
    "head_dim_k",
    "head_dim_v",
)
GATED_LINEAR_ATTENTION = _record(
    *("q", "q_stride", "k", "k_stride", "v", "v_stride", "decay", "decay_stride"),
    *("state", "group", "y", "y_stride", "n_head", "head_dim_k", "head_dim_v"),
)
WKV6 = _record(
    *("r", "r_stride", "k", "k_stride", "v", "v_stride", "decay", "decay_stride", "bonus"),
    *("state", "group", "y", "y_stride", "n_head", "head_dim_k", "head_dim_v"),
)
WKV7 = _record(
    *("r", "r_stride", "k", "k_stride", "v", "v_stride", "decay", "decay_stride"),
    *("a", "a_stride", "b", "b_stride"),
    *("state", "group", "y", "y_stride", "n_head", "head_dim_k", "head_dim_v"),
)
SSM_SCAN = _record(
    "x",
    "x_stride",
    "dt",
    "dt_stride",
    "a",
    "b",
    "b_stride",
    "c",
    "c_stride",
    "state",
    "group",
    "y",
    "y_stride",
    "n_head",
    "n_run",
    "n_state",
    "head_dim",
)
BINARY = _record("rows", "x", "x_stride", "z", "z_stride", "y", "y_stride", "n")
SCALE_ROWS = _record("rows", "x", "x_stride", "z", "z_stride", "y", "y_stride", "n", "n_group")
BINARY_QUANTIZE = _record(
    "rows", "x", "x_stride", "z", "z_stride", "y", "y_stride", "meta", "meta_stride", "n"
)
BY_SCALAR = _record("rows", "x", "x_stride", "y", "y_stride", "n", floats=("scalar",))
GATING_OF = {"softmax": 0, "sigmoid": 1, "softmax_selected": 2, "sparse_mixer": 3}
"""How `ROUTE` says what an expert's probability is."""

RUN_ROWS, RUN_BYTES = 64, 16
"""Rows of one expert that are a piece of work together, and the bytes that describe such a run: int32 expert,
first and stop in `order`. The number of runs, int64, stands in place of a first one."""

ROUTE = _record(
    "rows",
    "x",
    "x_stride",
    "bias",
    "ids",
    "ids_stride",
    "y",
    "y_stride",
    "n",
    "n_used",
    "gating",
    "normalize",
    "n_group",
    "n_group_used",
    "scales",
    floats=("scale", "smallest_sum", "width"),
)
SORT_EXPERTS = _record("rows", "ids", "ids_stride", "order", "runs", "n", "n_used")
EXPERTS = _record(
    "rows",
    "x",
    "x_stride",
    "x_slot",
    "meta",
    "meta_stride",
    "meta_slot",
    "order",
    "runs",
    "weight",
    "scales",
    "bias",
    "y",
    "y_stride",
    "n",
    "n_used",
    "n_groups",
    "n_blocks",
)
EVERY_EXPERT = _record("rows", "order", "runs", "n")
HEAD_COLUMNS = _record("rows", "x", "x_stride", "x_head", "y", "y_stride", "n_head", "n")
JOIN_HEADS = _record(
    "rows", "x", "x_stride", "z", "z_stride", "z_head", "y", "y_stride", "n_head", "n", "z_n"
)
COMBINE_EXPERTS = _record("rows", "x", "x_stride", "z", "z_stride", "y", "y_stride", "n", "n_used")
XIELU = _record("rows", "x", "x_stride", "y", "y_stride", "n", floats=("alpha_p", "alpha_n", "beta", "eps"))
GATHER = _record("x", "x_stride", "y", "y_stride", "n")
EMBED = _record("x", "x_stride", "y", "y_stride", "n", floats=("scale",))
ARGMAX = _record("rows", "x", "x_stride", "parts", "parts_stride", "y", "y_stride", "n")
NEXT_TOKEN = _record(
    "x",
    "x_stride",
    "n",
    "best",
    "best_stride",
    "draws",
    "numbers",
    "sums",
    "weights",
    "top",
    "table",
    "y",
    "n_left",
    "hurry",
    "n_ids",
    "ends",
    "n_ends",
)
"""Of `draw_sums`, `choose` and `follow`.

x: logits [outputs, n]; best: an `ARGMAX_RESULT` of each output. draws: a `DRAW` of each; numbers: a random
float64 of each, step after step; sums: float64 [outputs, 512]; weights: float64, room for those of a column
or of the top; top: a `TOP`; table: `portable_math.powers_of_two`. y: int64, the chosen places, step after
step. n_left: how many steps there may be; hurry: 1, written at any time, lets the one at hand be the last;
n_ids: ids that may be looked up; ends: int64 ids behind which no step comes.
"""

DRAW = np.dtype([("temperature", "f8"), ("top_k", "i8"), ("top_p", "f8"), ("min_p", "f8")])
"""How an output is drawn, see `drawing.Draw`; at temperature 0 the highest logit is taken."""

TOP = np.dtype([("values", "f4", MOST_OF_TOP), ("ids", "i8", MOST_OF_TOP), ("ordered", "f8", MOST_OF_TOP)])
"""The highest logits of an output, their ids, and their weights, the heaviest first."""

EXP_SCALED = _record("x", "y", "table", "n", doubles=("offset", "divisor"))
RUN_MAXIMA = _record("x", "y", "n")
PACK = _record("x", "x_stride", "n_rows", "y", "n_groups", "n_blocks")
PEAK = _record("x", "n_pieces", "piece", "stream", "advance", "y")

ARGMAX_PART = 4096
"""Numbers of a row that one piece of work looks at, a multiple of 16; `parts` holds a float32 for each."""

ARGMAX_RESULT = np.dtype({"names": ["place", "value"], "formats": ["i8", "f4"], "itemsize": 64})
"""The place of the highest number of a row, the first of equal ones, and that number. The place is -1 where
the row holds NaN or infinity."""


def in_program(record: np.dtype[np.void]) -> np.dtype[np.void]:
    """A record as it lies in a program: `OP_BYTES` from one to the next."""
    fields: Mapping[str, Any] = record.fields or {}
    formats, offsets = zip(*(field[:2] for field in fields.values()), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": OP_BYTES})


def offset(record: np.dtype[np.void], name: str) -> int:
    """Where a field lies in a record, in bytes."""
    fields: Mapping[str, Any] = record.fields or {}
    return int(fields[name][1])
