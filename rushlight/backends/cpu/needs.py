"""Which kernels a model is going to need, as far as its file tells before it is loaded."""

from __future__ import annotations

from collections.abc import Iterable

from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.gguf import GGMLType

_OF_THE_CACHE = ("attention_", "store_kv_")
_LEFT_OUT = ("peak_", "experts_", "route", "sort_experts", "combine_experts", "sigmoid_scale", "swiglu_oai")


def likely_kernels(types: Iterable[GGMLType]) -> set[str]:
    """Kernels for matrices of some types, and those that are not of a type, with the usual KV cache.

    A few are for other architectures; they are small. Those of experts come when they are needed. None at all
    without types.
    """
    wanted = {type.name.lower() for type in types} & set(LAYOUTS)
    return {name for name in KERNELS if _is_likely(name, wanted)} if wanted else set()


def _is_likely(kernel: str, types: set[str]) -> bool:
    of_type = next((type for type in LAYOUTS if kernel.endswith(f"_{type}")), None)
    if kernel.startswith(_OF_THE_CACHE) and of_type is not None:
        return of_type == "f16"
    return not kernel.startswith(_LEFT_OUT) and (of_type is None or of_type in types)
