"""The kernels: the module that writes each and the record it reads. Importing this imports no Numba."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.cpu import records
from rushlight.backends.cpu.layout import LAYOUTS


class KernelSource(NamedTuple):
    """Where a kernel is written: a module of this package whose `kernels(target)` has it by name."""

    module: str
    record: np.dtype[np.void] | None


KERNELS: dict[str, KernelSource] = {
    "lead": KernelSource("loop", records.TEAM),
    "serve": KernelSource("loop", records.TEAM),
    **{f"quantize_{n}": KernelSource("quantize", records.QUANTIZE) for n in records.META_BYTES},
    "rms_norm": KernelSource("norms", records.NORM),
    "layer_norm": KernelSource("norms", records.NORM),
    "rope_neox": KernelSource("rope", records.ROPE),
    "rope_interleaved": KernelSource("rope", records.ROPE),
    "store_kv_f16": KernelSource("kv_cache", records.STORE_KV),
    "store_kv_f32": KernelSource("kv_cache", records.STORE_KV),
    "attention_f16": KernelSource("attention", records.ATTENTION),
    "attention_f32": KernelSource("attention", records.ATTENTION),
    "attention_merge": KernelSource("attention", records.ATTENTION),
    **{
        f"{name}_{kind}": KernelSource("top_positions", records.TOP_POSITIONS)
        for name in ("score_positions", "top_positions")
        for kind in ("f16", "f32")
    },
    "top_blocks_f16": KernelSource("top_blocks", records.TOP_BLOCKS),
    "top_blocks_f32": KernelSource("top_blocks", records.TOP_BLOCKS),
    "short_conv": KernelSource("short_conv", records.SHORT_CONV),
    "gated_delta_net": KernelSource("gated_delta_net", records.GATED_DELTA_NET),
    "kda": KernelSource("gated_delta_net", records.KDA),
    "gated_linear_attention": KernelSource("linear_attention", records.GATED_LINEAR_ATTENTION),
    "wkv6": KernelSource("linear_attention", records.WKV6),
    "wkv7": KernelSource("linear_attention", records.WKV7),
    "exp": KernelSource("elementwise", records.BINARY),
    "ssm_scan": KernelSource("ssm_scan", records.SSM_SCAN),
    "selective_scan": KernelSource("ssm_scan", records.SSM_SCAN),
    "silu_mul": KernelSource("elementwise", records.BINARY),
    "relu_mul": KernelSource("elementwise", records.BINARY),
    "gelu_mul": KernelSource("elementwise", records.BINARY),
    "gelu": KernelSource("elementwise", records.BINARY),
    "silu": KernelSource("elementwise", records.BINARY),
    "sigmoid": KernelSource("elementwise", records.BINARY),
    "softplus": KernelSource("elementwise", records.BINARY),
    "relu_squared": KernelSource("elementwise", records.BINARY),
    "swiglu_oai": KernelSource("elementwise", records.BINARY),
    **{f"rms_norm_quantize_{n}": KernelSource("norms", records.NORM_QUANTIZE) for n in records.META_BYTES},
    **{
        f"{name}_quantize_{n}": KernelSource("elementwise", records.BINARY_QUANTIZE)
        for name in ("silu_mul", "relu_mul", "gelu_mul", "gelu", "relu_squared", "swiglu_oai")
        for n in records.META_BYTES
    },
    "add": KernelSource("elementwise", records.BINARY),
    "scale": KernelSource("elementwise", records.BY_SCALAR),
    "multiply": KernelSource("elementwise", records.BINARY),
    "scale_rows": KernelSource("elementwise", records.SCALE_ROWS),
    "match_magnitude": KernelSource("norms", records.BINARY),
    "sparsify": KernelSource("norms", records.BY_SCALAR),
    "clamp": KernelSource("elementwise", records.BY_SCALAR),
    "minimum": KernelSource("elementwise", records.BY_SCALAR),
    "softmax": KernelSource("norms", records.BINARY),
    "softcap": KernelSource("elementwise", records.BY_SCALAR),
    "sigmoid_scale": KernelSource("elementwise", records.BINARY),
    "route": KernelSource("routing", records.ROUTE),
    "sort_experts": KernelSource("routing", records.SORT_EXPERTS),
    "every_expert": KernelSource("heads", records.EVERY_EXPERT),
    "head_columns": KernelSource("heads", records.HEAD_COLUMNS),
    "join_heads": KernelSource("heads", records.JOIN_HEADS),
    "combine_experts": KernelSource("routing", records.COMBINE_EXPERTS),
    "xielu": KernelSource("elementwise", records.XIELU),
    "embed_positions": KernelSource("elementwise", records.GATHER),
    "outputs": KernelSource("elementwise", records.GATHER),
    "sequence_first": KernelSource("sequence_rows", records.GATHER),
    "sequence_mean": KernelSource("sequence_rows", records.GATHER),
    "argmax_parts": KernelSource("argmax", records.ARGMAX),
    "argmax": KernelSource("argmax", records.ARGMAX),
    "draw_sums": KernelSource("next_token", records.NEXT_TOKEN),
    "choose": KernelSource("next_token", records.NEXT_TOKEN),
    "follow": KernelSource("next_token", records.NEXT_TOKEN),
    "exp_scaled": KernelSource("sampling", records.EXP_SCALED),
    "exp_column_sums": KernelSource("sampling", records.EXP_SCALED),
    "run_maxima": KernelSource("sampling", records.RUN_MAXIMA),
    "peak_read": KernelSource("peaks", records.PEAK),
    "peak_dot": KernelSource("peaks", records.PEAK),
    "peak_fma": KernelSource("peaks", records.PEAK),
    **{f"embed_{t}": KernelSource("embedding", records.EMBED) for t in LAYOUTS},
    **{f"pack_{t}": KernelSource("packing", records.PACK) for t in LAYOUTS},
    **{f"linear_{t}": KernelSource("linear", records.LINEAR) for t in LAYOUTS},
    **{f"experts_{t}": KernelSource("experts", records.EXPERTS) for t in LAYOUTS},
}
