"""The progress bar of `huggingface_hub`, led to a `Progress`."""

from __future__ import annotations

import inspect
from pathlib import PurePosixPath
from typing import Any

from rushlight.progress import Progress


def tqdm_for(progress: Progress | None, file: str) -> dict[str, Any]:
    """Return the keyword argument that makes `hf_hub_download` report to `progress`.

    Versions before 1.0 take no ``tqdm_class``: with them the library's own bar shows, on a terminal only.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined,unused-ignore]

    if "tqdm_class" not in inspect.signature(hf_hub_download).parameters:
        return {}
    label = f"Downloading {PurePosixPath(file).name}"

    class Bar(tqdm):  # type: ignore[misc,unused-ignore]
        """A tqdm that draws nothing and reports."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["disable"] = True
            super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]
            self.total = kwargs.get("total")
            self.n = kwargs.get("initial") or 0
            self.update(0)

        def update(self, n: float | None = 1) -> bool | None:
            """Count `n` more bytes."""
            self.n += n or 0
            if progress is not None:
                progress(label, int(self.n), self.total)
            return None

    return {"tqdm_class": Bar}
