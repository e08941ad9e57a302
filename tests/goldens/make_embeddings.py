"""Record llama.cpp's embeddings of random models: tests/goldens/embeddings.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    PYTHONPATH=.:tests oracle/bin/python tests/goldens/make_embeddings.py

For each model the SHA-256 of its file, and of each text the token ids and the embedding, of length 1.
"""

from __future__ import annotations

import ctypes
import json
import tempfile
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from helpers.embedding_models import EMBEDDING_MODELS
from helpers.random_models import RandomModel, write_random_model
from oracle import Oracle, provenance
from tiny_vocab import N_VOCAB

TARGET = Path(__file__).parent / "embeddings.json"
N_CTX = 256
LENGTHS = (1, 7, 100)


class Embedder(Oracle):
    """llama.cpp with embeddings in place of logits, pooled as the file says."""

    def _open_context(self, n_ctx: int, swa_full: bool) -> ctypes.c_void_p:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = n_ctx
        params.n_threads = params.n_threads_batch = 1
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
        params.embeddings = True
        return llama_cpp.llama_init_from_model(self.model, params)

    def embed(self, ids: list[int], n_embd: int) -> list[float]:
        """The embedding of one text, of length 1."""
        self.clear()
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, True
            batch.seq_id[i][0] = 0
        status = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")
        found = np.ctypeslib.as_array(llama_cpp.llama_get_embeddings_seq(self.context, 0), (n_embd,))
        vector = found.astype(np.float64)
        return (vector / np.linalg.norm(vector)).astype(np.float32).tolist()


def golden(model: RandomModel, folder: Path) -> dict[str, Any]:
    """That of one model."""
    path = folder / f"{model.name}.gguf"
    sha256 = write_random_model(model, path)
    rng = np.random.RandomState(2)
    texts = [rng.randint(0, N_VOCAB, n).tolist() for n in LENGTHS]
    with Embedder(path, N_CTX) as oracle:
        embeddings = [[round(x, 8) for x in oracle.embed(ids, model.n_embd)] for ids in texts]
    return {"sha256": sha256, "ids": texts, "embeddings": embeddings}


def main() -> None:
    """Write the golden of all models."""
    with tempfile.TemporaryDirectory() as folder:
        models = {model.name: golden(model, Path(folder)) for model in EMBEDDING_MODELS}
    TARGET.write_text(json.dumps({"metadata": provenance(), "models": models}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
