"""Loading a model for a command leaves the process as a library would want it."""

from __future__ import annotations

import gc
import os

import pytest

from rushlight.cli import main
from rushlight.cli.options import quick_start

BLAS = "OPENBLAS_NUM_THREADS"


def test_the_garbage_collector_comes_back() -> None:
    try:
        with quick_start("cpu"):
            assert not gc.isenabled()
        assert gc.isenabled()
        with pytest.raises(ValueError, match="no model"), quick_start("cpu"):
            raise ValueError("no model")
        assert gc.isenabled()
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("arguments", [["run", "--help"], ["run", "--top-k", "x"], ["rm", "no/such"]])
def test_a_command_leaves_the_garbage_collector_on(arguments: list[str]) -> None:
    main(arguments)
    assert gc.isenabled()


@pytest.mark.parametrize(("backend", "threads"), [("auto", "1"), ("cpu", "1"), ("reference", None)])
def test_only_the_reference_backend_gets_threads_of_blas(
    backend: str, threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BLAS, raising=False)
    with quick_start(backend):
        assert os.environ.get(BLAS) == threads
    monkeypatch.setenv(BLAS, "7")  # a choice of the user's stands
    with quick_start(backend):
        assert os.environ[BLAS] == "7"
    gc.unfreeze()
