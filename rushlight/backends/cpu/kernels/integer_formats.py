"""The formats that are unpacked anew for each tile of rows, by type."""

from __future__ import annotations

from rushlight.backends.cpu.kernels.formats import FORMATS, BlockSums
from rushlight.backends.cpu.kernels.formats_few_bits import FEW_BIT_FORMATS
from rushlight.backends.cpu.kernels.formats_superblocks import SUPERBLOCK_FORMATS
from rushlight.backends.cpu.kernels.formats_tables import TABLE_FORMATS
from rushlight.backends.cpu.layout import LAYOUTS
from rushlight.backends.cpu.records import META_BYTES

INTEGERS: dict[str, BlockSums] = {**FORMATS, **SUPERBLOCK_FORMATS, **FEW_BIT_FORMATS, **TABLE_FORMATS}


def meta_bytes_of(name: str) -> int:
    """Bytes beside the activations that one block of a type is multiplied with."""
    layout = LAYOUTS[name]
    return META_BYTES[layout.activation_columns] * layout.columns // layout.activation_columns
