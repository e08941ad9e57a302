"""Which kernels a model is going to need, as far as its file tells before it is loaded."""

from __future__ import annotations

from collections.abc import Iterable

from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.gguf import GGMLType

_OF_THE_CACHE = ("attention_", "store_kv_")
_OF_EXPERTS = (
    "experts_",
    "route",
    "sort_experts",
    "combine_experts",
    "every_expert",
    "head_columns",
    "join_heads",
    "sigmoid_scale",
    "swiglu_oai",
)
_MEASURING = "peak_"
_COMMON = {
    "add",
    "argmax",
    "argmax_parts",
    "attention_merge",
    "choose",
    "draw_sums",
    "exp_column_sums",
    "exp_scaled",
    "follow",
    "gelu_mul",
    "lead",
    "outputs",
    "quantize",
    "rms_norm",
    "rope_interleaved",
    "rope_neox",
    "run_maxima",
    "serve",
    "silu_mul",
}
"""What most architectures are made of; what else one needs is compiled once its program is recorded."""


def likely_kernels(types: Iterable[GGMLType], expert_types: Iterable[GGMLType] = ()) -> set[str]:
    """Kernels for matrices of some types, and those that are not of a type, with the usual KV cache.

    A few are for other architectures; they are small. Those of experts are there only with types of experts,
    and none at all without types.
    """
    wanted, experts = ({type.name.lower() for type in each} & set(LAYOUTS) for each in (types, expert_types))
    found = {name for name in KERNELS if _is_likely(name, wanted)} if wanted else set()
    if experts:
        found |= {name for name in KERNELS if _is_of_experts(name, experts)}
    return found


def _type_of(kernel: str) -> str | None:
    return next((type for type in LAYOUTS if kernel.endswith(f"_{type}")), None)


def _is_likely(kernel: str, types: set[str]) -> bool:
    of_type = _type_of(kernel)
    if kernel.startswith(_OF_THE_CACHE) and of_type is not None:
        return of_type == "f16"
    if of_type is not None:
        return of_type in types and not kernel.startswith(_OF_EXPERTS)
    name, _, columns = kernel.rpartition("_quantize_")
    if kernel.startswith("quantize_"):
        name, columns = "quantize", kernel.removeprefix("quantize_")
    if columns.isdecimal():
        rounded = {LAYOUTS[type].activation_columns for type in types if LAYOUTS[type].columns > 1}
        return name in _COMMON and int(columns) in rounded
    return kernel in _COMMON


def _is_of_experts(kernel: str, types: set[str]) -> bool:
    return kernel.startswith(("pack_", *_OF_EXPERTS)) and (_type_of(kernel) or next(iter(types))) in types
