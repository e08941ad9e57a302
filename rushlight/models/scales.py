"""Factors of a whole matrix, which stand in tensors of their own beside it.

NVFP4 has scales of 16 columns whose range is small; ``{name}.scale`` beside ``{name}.weight`` holds what all
products of a matrix are multiplied by, or one such factor for each expert. ``{name}.input_scale`` would scale
activations of 4 bits; ours have 8 bits and scales of their own, so it changes nothing.

Source: ``build_lora_mm`` and ``build_lora_mm_id`` in llama.cpp's ``llama-graph.cpp``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rushlight.errors import InvalidFile
from rushlight.gguf import GGMLType, GGUFTensor
from rushlight.gguf.accounting import Accounting


def with_scales(accounts: Accounting, tensor: GGUFTensor) -> GGUFTensor:
    """A matrix [N, K], or those of experts [X, N, K], with the factors that the file has for it.

    Raises:
        InvalidFile: they are not 1 or X finite float32.
    """
    stem = tensor.name.removesuffix(".weight")
    accounts.ignore_tensor(f"{stem}.input_scale", "activations are quantized by their own magnitudes")
    shape = tensor.shape[:-2] or (1,)
    found = accounts.tensor(f"{stem}.scale", shape, optional=True)
    if found is None:
        return tensor
    if found.type is not GGMLType.F32:
        raise InvalidFile(f"Tensor {found.name} has the type {found.type.name}; expected F32.")
    scales = np.ascontiguousarray(found.raw).view(np.float32)
    if not np.isfinite(scales).all():
        raise InvalidFile(f"Tensor {found.name} holds a number that is not finite; expected factors.")
    return replace(tensor, scales=tuple(scales.reshape(-1).tolist()))
