"""Record llama.cpp's embeddings and rank scores of random models: tests/goldens/embeddings.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    PYTHONPATH=.:tests oracle/bin/python tests/goldens/make_embeddings.py

For each model the SHA-256 of its file, and of each text the token ids and what llama.cpp gives: the
embedding, of length 1; of a reranker the numbers of its head; without pooling some rows of hidden states.
"""

from __future__ import annotations

import ctypes
import json
import tempfile
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from helpers.embedding_models import EMBEDDING_MODELS, RANK_MODELS
from helpers.random_models import RandomModel, write_random_model
from numpy.typing import NDArray
from oracle import Oracle, provenance
from tiny_vocab import N_VOCAB

TARGET = Path(__file__).parent / "embeddings.json"
N_CTX = 256
LENGTHS = (1, 7, 100)
EVERY = 33


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

    def clear(self) -> None:
        """Forget every token, where the model keeps any."""
        if llama_cpp.llama_get_memory(self.context):
            super().clear()

    def results(self, ids: list[int], n: int) -> NDArray[np.float32]:
        """What pooling gives of one text [n]; without pooling the hidden state of every token [T, n]."""
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
        if llama_cpp.llama_pooling_type(self.context) != llama_cpp.LLAMA_POOLING_TYPE_NONE:
            pooled = llama_cpp.llama_get_embeddings_seq(self.context, 0)
            return np.ctypeslib.as_array(pooled, (n,)).copy()
        rows = (llama_cpp.llama_get_embeddings_ith(self.context, i) for i in range(len(ids)))
        return np.array([np.ctypeslib.as_array(row, (n,)) for row in rows])


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector with length 1."""
    return (vector / np.linalg.norm(vector.astype(np.float64))).astype(np.float32)


def golden(model: RandomModel, folder: Path) -> dict[str, Any]:
    """That of one model."""
    path = folder / f"{model.name}.gguf"
    sha256 = write_random_model(model, path)
    rng = np.random.RandomState(2)
    texts = [rng.randint(0, N_VOCAB, n).tolist() for n in LENGTHS]
    pooling = model.metadata["pooling_type"]
    n_out = len(model.metadata.get("classifier.output_labels", [""])) if pooling == 4 else model.n_embd
    with Embedder(path, N_CTX) as oracle:
        found = [oracle.results(ids, n_out) for ids in texts]
    if pooling == 0:
        found = [rows[::EVERY] for rows in found]
    elif pooling != 4:
        found = [unit(vector) for vector in found]
    return {"sha256": sha256, "ids": texts, "embeddings": [np.round(each, 8).tolist() for each in found]}


def main() -> None:
    """Write the golden of all models."""
    with tempfile.TemporaryDirectory() as folder:
        models = {model.name: golden(model, Path(folder)) for model in (*EMBEDDING_MODELS, *RANK_MODELS)}
    TARGET.write_text(json.dumps({"metadata": provenance(), "models": models}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
