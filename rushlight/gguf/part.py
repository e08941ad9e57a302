"""One file on disk, mapped and checked; a model is one part or several."""

from __future__ import annotations

import mmap
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rushlight.errors import InvalidFile, ModelNotFound
from rushlight.gguf.header import Header, TensorInfo, read_header
from rushlight.gguf.tensor import GGUFTensor


class Part(NamedTuple):
    """A mapped file: `tensors` hold views of the mapping and keep it alive."""

    path: Path
    n_bytes: int
    header: Header
    tensors: list[GGUFTensor]


def open_part(path: Path) -> Part:
    """Map one file and check its header.

    Raises:
        ModelNotFound: there is no such file.
        InvalidFile: it cannot be read, or it is not a well-formed GGUF file.
        UnsupportedTensorType: a tensor has a type that this version does not read.
    """
    mapping = _map_file(path)
    header = read_header(memoryview(mapping), path)
    data = np.frombuffer(mapping, np.uint8)
    tensors = [_tensor(data, header.data_start, info) for info in header.tensors]
    if hasattr(mmap, "MADV_DONTNEED"):  # what the header says is in memory of its own
        mapping.madvise(mmap.MADV_DONTNEED, 0, header.data_start // mmap.PAGESIZE * mmap.PAGESIZE)
    return Part(path, len(mapping), header, tensors)


def _map_file(path: Path) -> mmap.mmap:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise InvalidFile(f"{path} is {kind}; expected a GGUF file.")
        if status.st_size == 0:
            raise InvalidFile(f"{path} is empty; expected a GGUF file, download it again.")
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelNotFound(f"There is no file {path}; check the path.") from None
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from None


def _tensor(data: npt.NDArray[np.uint8], data_start: int, info: TensorInfo) -> GGUFTensor:
    start = data_start + info.offset
    raw = data[start : start + info.n_bytes].reshape(*info.shape[:-1], info.row_bytes)
    return GGUFTensor(info.name, info.shape, info.type, raw)
