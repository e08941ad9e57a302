"""Tiny models in NVFP4 with factors beside their matrices, as files that NVIDIA's tools have quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.batches import TINY
from helpers.random_models import write_random_model
from helpers.random_tables import RANDOM_MODELS
from helpers.weights import blocks_like

from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.quants import dequantize

IDS: list[int] = np.random.RandomState(12).randint(0, 320, 40).tolist()
SCALED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
KINDS = ("dense", "experts")
N_COLUMNS = 64  # of a block


def write_scaled_model(path: Path, kind: str) -> None:
    """The matrices of every layer, in NVFP4 where their rows are whole blocks, with factors around 1."""
    source = TINY / "llama-mix.gguf"
    if kind == "experts":
        source = path.with_suffix(".source")
        write_random_model(next(model for model in RANDOM_MODELS if model.name == "mixtral"), source)
    with open_gguf(source) as file:
        tensors = []
        for name, tensor in file.tensors.items():
            values = dequantize(tensor.raw, tensor.type).reshape(tensor.shape)
            stem = name.removesuffix(".weight")
            is_scaled = stem.rpartition(".")[2].removesuffix("_exps") in SCALED
            type = GGMLType.NVFP4 if is_scaled and tensor.shape[-1] % N_COLUMNS == 0 else GGMLType.F32
            rows = values.reshape(-1, tensor.shape[-1])
            raw = blocks_like(rows, type, len(tensors)).reshape(*tensor.shape[:-1], -1)
            tensors.append((name, type, tensor.shape, raw))
            if is_scaled:
                shape = tensor.shape[:-2] or (1,)
                drawn = np.random.RandomState(len(tensors)).randint(48, 96, shape)
                factors = (drawn / np.float32(64)).astype(np.float32)
                tensors.append((f"{stem}.scale", GGMLType.F32, shape, factors.view(np.uint8)))
                tensors.append((f"{stem}.input_scale", GGMLType.F32, shape, factors.view(np.uint8)))
        write_gguf(path, dict(file.metadata), tensors, types=file.metadata_types)
