"""Packing: the native kernels that turn a tensor's rows into the layout of the matrix kernels."""

from __future__ import annotations

from rushlight.backends.base import Progress
from rushlight.backends.cpu.layout import LANES, LAYOUTS
from rushlight.backends.cpu.memory import Region
from rushlight.backends.cpu.objects import KernelLibrary
from rushlight.backends.cpu.records import OP_BYTES, PACK
from rushlight.backends.cpu.runtime import Team
from rushlight.backends.cpu.target import Target
from rushlight.backends.cpu.weights import PackedPart
from rushlight.gguf import GGMLType, GGUFTensor


class Packer:
    """Packs matrices with all threads of a team, straight from the mapped file."""

    def __init__(self, target: Target, team: Team, progress: Progress | None = None) -> None:
        self._target, self._team, self._progress = target, team, progress
        self._libraries: dict[GGMLType, KernelLibrary] = {}

    def pack(self, tensor: GGUFTensor) -> PackedPart:
        """Pack a matrix [N, K]; its reader has checked that `raw` holds N whole rows."""
        name = tensor.type.name.lower()
        layout = LAYOUTS[name]
        n_rows, n_columns = tensor.shape
        n_groups, n_blocks = -(-n_rows // LANES), n_columns // layout.columns
        row_bytes = n_blocks * layout.block_bytes
        if tensor.raw.shape != (n_rows, row_bytes) or not tensor.raw.flags.c_contiguous:
            raise ValueError(
                f"{tensor.name}: {n_rows} rows of {row_bytes} bytes expected, not {tensor.raw.shape}"
            )
        region = Region(n_groups * n_blocks * layout.group_bytes, f"the weights {tensor.name}")
        program = Region(2 * OP_BYTES, "a packing program")
        record = program.bytes[: PACK.itemsize].view(PACK)[0]
        record["kernel"] = self._address(tensor.type)
        record["x"], record["x_stride"], record["n_rows"] = tensor.raw.ctypes.data, row_bytes, n_rows
        record["y"], record["n_groups"], record["n_blocks"] = region.address, n_groups, n_blocks
        step = self._team.new_step()
        self._team.run(program.address, step.ctypes.data)
        tensor.release()
        return PackedPart(tensor.type, n_rows, n_columns, n_groups, n_blocks, region)

    def _address(self, type: GGMLType) -> int:
        kernel = f"pack_{type.name.lower()}"
        if type not in self._libraries:
            self._libraries[type] = KernelLibrary([kernel], self._target, self._progress)
        return self._libraries[type].addresses[kernel]
