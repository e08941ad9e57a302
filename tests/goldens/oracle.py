"""llama.cpp seen through the low-level llama-cpp-python bindings: the oracle of the scripts beside this file.

Never imported by a test. Prepare a virtual environment outside the repository (a C++ compiler and some
minutes are needed), with GELU computed in float32 rather than looked up in llama.cpp's half-precision table:

    python -m venv oracle && oracle/bin/pip install gguf
    oracle/bin/pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36
    tar xzf llama_cpp_python-0.3.36.tar.gz
    sed -i '/^#define GGML_GELU_FP16/d' llama_cpp_python-0.3.36/vendor/llama.cpp/ggml/src/ggml-cpu/vec.h
    oracle/bin/pip install ./llama_cpp_python-0.3.36

and run the scripts with its Python from the repository root. llama-cpp-python 0.3.36 vendors llama.cpp commit
0c1e57098bba43ac29e6e3b677cdceebdd22334f.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType

import gguf
import llama_cpp
import numpy as np
from llama_cpp._ggml import libggml
from numpy.typing import NDArray

LLAMA_CPP_COMMIT = {"0.3.36": "0c1e57098bba43ac29e6e3b677cdceebdd22334f"}


@llama_cpp.llama_log_callback
def _silent(level: int, text: bytes, user_data: object) -> None:
    """Drop llama.cpp's log."""


llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def provenance() -> dict[str, str]:
    """Versions to write into every golden."""
    version = llama_cpp.__version__
    return {
        "oracle": "llama.cpp through llama-cpp-python",
        "llama_cpp_python": version,
        "llama_cpp_commit": LLAMA_CPP_COMMIT.get(version, "unknown"),
        "system": llama_cpp.llama_print_system_info().decode().strip(" |"),
    }


def quantize(values: NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> NDArray[np.uint8]:
    """Blocks [rows, row bytes] uint8 of float32 values [rows, n], by ggml's own quantizer."""
    rows, n = values.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.zeros((rows, n // block * size), np.uint8)
    libggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    written = libggml.ggml_quantize_chunk(
        ctypes.c_int(kind.value),
        np.ascontiguousarray(values).ctypes.data_as(ctypes.c_void_p),
        raw.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(0),
        ctypes.c_int64(rows),
        ctypes.c_int64(n),
        ctypes.c_void_p(0),
    )
    if written != raw.size:
        raise RuntimeError(f"ggml wrote {written} bytes of {kind.name}, expected {raw.size}")
    return raw


class Oracle:
    """One GGUF file opened by llama.cpp: one thread, no flash attention, a float32 KV cache.

    Args:
        path: the GGUF file.
        n_ctx: context size; llama.cpp rounds it up to a multiple of 256 (0: vocabulary only).
        swa_full: keep every position of sliding-window layers in the cache (the mask still hides old ones).

    Raises:
        RuntimeError: llama.cpp refuses the file.
    """

    def __init__(self, path: Path, n_ctx: int = 0, swa_full: bool = True) -> None:
        model_params = llama_cpp.llama_model_default_params()
        model_params.vocab_only = n_ctx == 0
        model_params.use_mmap = True
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.context = None if n_ctx == 0 else self._open_context(n_ctx, swa_full)

    def _open_context(self, n_ctx: int, swa_full: bool) -> ctypes.c_void_p:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = n_ctx
        params.n_threads = params.n_threads_batch = 1
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
        params.swa_full = swa_full
        context = llama_cpp.llama_init_from_model(self.model, params)
        if not context:
            raise RuntimeError("llama.cpp cannot make a context")
        return context

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.context:
            llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def clear(self) -> None:
        """Forget every token decoded so far."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def decode(self, ids: list[int], start: int = 0, n_last: int | None = None) -> NDArray[np.float32]:
        """Logits [n_last, V] float32 after the last n_last (default: all) of ids, which follow from start."""
        n_rows = len(ids) if n_last is None else n_last
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i >= len(ids) - n_rows
        status = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")
        flat = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.context), (n_rows * self.n_vocab,))
        return flat.reshape(n_rows, self.n_vocab).copy()

    def forget_before(self, position: int) -> None:
        """Remove the cached keys and values of every position below this one."""
        llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(self.context), 0, 0, position)

    def is_eog(self, token: int) -> bool:
        """Whether llama.cpp ends generation at this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self.vocab, token))

    def piece(self, token: int, special: bool = True) -> bytes:
        """Bytes that one token adds to a stream of text."""
        room = ctypes.create_string_buffer(1024)
        n = llama_cpp.llama_token_to_piece(self.vocab, token, room, len(room), 0, special)
        if n < 0:
            raise RuntimeError(f"token {token} wants {-n} bytes")
        return room.raw[:n]

    def tokenize(self, text: str, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of text."""
        data = text.encode()
        room = len(data) + 16
        ids = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, room, add_special, parse_special)
        if n < 0:
            raise RuntimeError(f"llama_tokenize wants {-n} tokens for {len(data)} bytes")
        return list(ids[:n])

    def detokenize(self, ids: list[int], remove_special: bool, unparse_special: bool) -> bytes:
        """Bytes of ids; a sequence cut inside a character gives invalid UTF-8."""
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        room = 64 + 1024 * len(ids)
        text = ctypes.create_string_buffer(room)
        n = llama_cpp.llama_detokenize(
            self.vocab, tokens, len(ids), text, room, remove_special, unparse_special
        )
        if n < 0:
            raise RuntimeError(f"llama_detokenize wants {-n} bytes for {len(ids)} tokens")
        return text.raw[:n]
