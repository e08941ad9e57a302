"""Re-express a llama-architecture GGUF file as a phi3 one, moving whole quantized rows and nothing else."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.generic]

# llama key -> phi3 key, without the architecture's prefix; vocab_size has no place in a phi3 file.
KEYS = {
    "context_length": ("context_length", "rope.scaling.original_context_length"),
    "embedding_length": ("embedding_length",),
    "block_count": ("block_count",),
    "feed_forward_length": ("feed_forward_length",),
    "attention.head_count": ("attention.head_count",),
    "attention.head_count_kv": ("attention.head_count_kv",),
    "attention.layer_norm_rms_epsilon": ("attention.layer_norm_rms_epsilon",),
    "rope.dimension_count": ("rope.dimension_count",),
    "rope.freq_base": ("rope.freq_base",),
    "vocab_size": (),
}


def _add_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        item_kind = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        prefix, _, rest = key.partition(".")
        if prefix == "llama" and rest not in KEYS:
            raise ValueError(f"{key} has no known place in a phi3 file")
        targets = [f"phi3.{target}" for target in KEYS[rest]] if prefix == "llama" else [key]
        for target in targets:
            writer.add_key_value(target, field.contents(), kind, item_kind)


def _halves_apart(rows: Rows, n_head: int) -> Rows:
    """Reorder each head's rows from llama's rotary pairs (2i, 2i + 1) to phi3's (i, i + half)."""
    half = rows.shape[0] // n_head // 2
    return rows.reshape(n_head, half, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def _joined(parts: list[gguf.ReaderTensor], rows: list[Rows]) -> tuple[Rows, gguf.GGMLQuantizationType]:
    kinds = {part.tensor_type for part in parts}
    if len(kinds) > 1:
        names = ", ".join(f"{part.name} {part.tensor_type.name}" for part in parts)
        raise ValueError(f"one tensor holds one type, and these differ: {names}")
    return np.concatenate(rows), kinds.pop()


class _LayerWriter:
    """Moves the tensors of a llama file to a phi3 writer, keeping count of what is left."""

    def __init__(self, reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
        self._writer = writer
        self._n_head = reader.fields["llama.attention.head_count"].contents()
        self._n_head_kv = reader.fields["llama.attention.head_count_kv"].contents()
        self.left = {tensor.name: tensor for tensor in reader.tensors}

    def copy(self, name: str) -> None:
        """Move one tensor as it is."""
        tensor = self.left.pop(name)
        self._writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)

    def move_layer(self, blk: str) -> None:
        """Move the tensors of one layer, whose names begin with blk."""
        q, k, v = (self.left.pop(f"{blk}.attn_{part}.weight") for part in "qkv")
        rows = [_halves_apart(q.data, self._n_head), _halves_apart(k.data, self._n_head_kv), v.data]
        qkv, kind = _joined([q, k, v], rows)
        self._writer.add_tensor(f"{blk}.attn_qkv.weight", qkv, raw_dtype=kind)
        gate, up = (self.left.pop(f"{blk}.ffn_{part}.weight") for part in ("gate", "up"))
        gate_up, kind = _joined([gate, up], [gate.data, up.data])
        self._writer.add_tensor(f"{blk}.ffn_up.weight", gate_up, raw_dtype=kind)
        for name in ("attn_norm", "attn_output", "ffn_norm", "ffn_down"):
            self.copy(f"{blk}.{name}.weight")


def write_as_phi3(src: Path, dst: Path) -> None:
    """Write the llama-architecture file src as general.architecture phi3 to dst, losslessly.

    In each layer, q, k and v become `attn_qkv` (llama.cpp's converter interleaves the two rotary halves of
    each head of q and k in llama files and not in phi3 files, so that is undone) and gate and up become
    `ffn_up`. Rows move whole: every weight keeps its blocks.

    Args:
        src: a GGUF file of architecture llama, without biases or rotary factor tensors.
        dst: where to write.

    Raises:
        ValueError: src is of another architecture, has a key or tensor that phi3 has no place for, or joins
            tensors of different types.
    """
    reader = gguf.GGUFReader(src)
    if reader.fields["general.architecture"].contents() != "llama":
        raise ValueError(f"{src} is not a llama-architecture file")
    writer = gguf.GGUFWriter(dst, "phi3")
    _add_metadata(reader, writer)
    tensors = _LayerWriter(reader, writer)
    for layer in range(reader.fields["llama.block_count"].contents()):
        tensors.move_layer(f"blk.{layer}")
    for name in ("token_embd.weight", "output_norm.weight", "output.weight"):
        if name in tensors.left:
            tensors.copy(name)
    if tensors.left:
        raise ValueError(f"a phi3 file has no place for {', '.join(tensors.left)}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
