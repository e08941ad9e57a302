"""Logits of every architecture on the reference backend against llama.cpp."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.batches import GOLDEN_NAMES, Golden, Piece, load_golden, open_executor, relative
from helpers.embeddings import MODELS as ENCODERS
from helpers.random_tables import RANDOM_MODELS
from numpy.typing import NDArray

from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import open_gguf
from rushlight.models import load_model, supported_architectures

# float32 sums in another order.
EXACT = 5e-6
# llama.cpp multiplies quantized weights by activations that it rounded to 8 bits.
EIGHT_BITS = 0.05


def logits(golden: Golden) -> NDArray[np.float32]:
    backend = ReferenceBackend()
    with open_gguf(golden.path) as file:
        model = load_model(file, backend, golden.n_ctx)
        executor, paging = open_executor(backend, model, golden.n_ctx)
        return executor.step(paging.batch([Piece(golden.ids)], outputs=golden.positions.tolist()))


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_logits_are_those_of_llama_cpp(name: str) -> None:
    golden = load_golden(name)
    found = logits(golden)
    assert relative(found, golden.exact) < EXACT
    assert relative(found, golden.logits) < EIGHT_BITS


def test_every_architecture_has_a_golden() -> None:
    covered = {name.split("-")[0] for name in GOLDEN_NAMES} | {model.arch for model in RANDOM_MODELS}
    covered |= {model.arch for model in ENCODERS.values()}
    assert covered == set(supported_architectures())


def test_goldens_outgrow_windows_and_original_contexts() -> None:
    backend = ReferenceBackend()
    outgrown = []
    for name in GOLDEN_NAMES:
        golden = load_golden(name)
        with open_gguf(golden.path) as file:
            config = load_model(file, backend, golden.n_ctx).config
        if 0 < config.n_swa < len(golden.ids):
            outgrown.append((config.arch, "window"))
        if config.rope_scaling.n_ctx_orig < len(golden.ids):
            outgrown.append((config.arch, config.rope_scaling.type))
    assert {("gemma3", "window"), ("phi3", "window"), ("llama", "yarn"), ("phi3", "linear")} <= set(outgrown)
