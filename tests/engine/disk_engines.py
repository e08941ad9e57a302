"""Engines that share a folder of kept blocks."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from fake_executor import (
    N_VOCAB,
    assert_all_blocks_are_back,
    finish,
    layout_of,
    make_engine,
    plain_generation,
    start,
)

from rushlight.backends.cache import CacheLayout
from rushlight.engine.disk import DiskCache
from rushlight.engine.disk.identity import Identity
from rushlight.engine.engine import Engine
from rushlight.engine.sequence import Sequence

N_CTX = 640
PROMPT = np.random.default_rng(0).integers(0, N_VOCAB - 1, N_CTX).tolist()
FULL, MIXED = layout_of(0), layout_of(0, 70, "state")


class Disk:
    """A directory and a model's file, and engines that use them one after the other."""

    def __init__(self, folder: Path, layout: CacheLayout = FULL, n_bytes: int = 1 << 30) -> None:
        self.folder, self.layout, self.n_bytes = folder / "cache", layout, n_bytes
        self.model = folder / "model"
        self.model.write_bytes(b"weights")

    def cache(self, kv_dtype: str = "f16") -> DiskCache:
        cache = DiskCache(
            self.folder, self.n_bytes, Identity((self.model,), "fake", kv_dtype, N_CTX, self.layout)
        )
        deadline = time.monotonic() + 30
        while cache._folder is None and cache._writes and time.monotonic() < deadline:
            time.sleep(0.001)
        return cache

    def engine(self, **options: int) -> Engine:
        sizes = {"n_ctx": N_CTX, "n_tokens": 100, "n_blocks": 60, **options}
        return make_engine(self.layout, disk=self.cache(), **sizes)  # type: ignore[arg-type]

    def run(self, prompt: list[int], **options: int) -> tuple[Sequence, Engine]:
        """A sequence computed by an engine of its own."""
        engine = self.engine(**options)
        sequence = start(engine, prompt, max_tokens=3)
        finish(engine, 10**6)
        assert_all_blocks_are_back(engine)
        engine.close()
        assert sequence.generated == plain_generation(sequence, self.layout, N_CTX)
        return sequence, engine

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("blocks/*/*") if not path.name.endswith(".tmp"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
