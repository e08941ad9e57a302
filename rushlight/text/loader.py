"""Open a tokenizer, whatever file it is in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from rushlight.errors import ModelNotFound
from rushlight.text.kinds import tokenizer_from_metadata
from rushlight.text.tokenizer import Tokenizer

_GGUF_MAGIC = b"GGUF"


class HasMetadata(Protocol):
    """An open GGUF file, as far as a tokenizer is concerned."""

    metadata: Mapping[str, Any]


def load_tokenizer(source: str | os.PathLike[str] | HasMetadata) -> Tokenizer:
    """Open the tokenizer of a model.

    Args:
        source: an open GGUF file (`rushlight.gguf.open_gguf`), or the path of a GGUF file (one that holds
            only a vocabulary too), of a ``tokenizer.json``, or of a folder that holds one.

    Raises:
        ModelNotFound: there is no such file.
        InvalidFile: the file is damaged or holds no tokenizer.
        UnsupportedTokenizer: its kind of tokenizer or its pre-tokenizer is not implemented.
    """
    if not isinstance(source, str | os.PathLike):
        return tokenizer_from_metadata(source.metadata)
    path = Path(source)
    if path.is_dir():
        path = path / "tokenizer.json"
    if not path.is_file():
        raise ModelNotFound(f"There is no tokenizer file at {path}.")
    if _is_gguf(path):
        from rushlight.gguf import open_gguf

        with open_gguf(path) as file:
            return tokenizer_from_metadata(file.metadata)
    from rushlight.text.json_tokenizer import tokenizer_from_json

    return tokenizer_from_json(path)


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GGUF_MAGIC)) == _GGUF_MAGIC
