"""The float32 twin of a quantized GGUF file: the same weights, dequantized by gguf-py.

llama.cpp rounds activations to 8 bits (or to half precision) before it multiplies them with weights other
than F32. On the twin it computes in float32 throughout, so its logits are what the quantized weights mean.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np


def copy_metadata(
    reader: gguf.GGUFReader, writer: gguf.GGUFWriter, rename: dict[str, str] | None = None
) -> None:
    """Copy every key but the architecture, which the writer set; rename maps a key's prefix to another."""
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        prefix, _, rest = key.partition(".")
        target = f"{(rename or {}).get(prefix, prefix)}.{rest}"
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(target, field.contents(), field.types[0], sub_type)


def write_f32_twin(source: Path, target: Path) -> None:
    """Write source to target with every tensor as F32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents(), use_temp_file=False)
    copy_metadata(reader, writer)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
