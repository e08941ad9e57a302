"""Models of Phi-3-mini's shape with random weights: for timing, where the real weights are not at hand.

    python -m benchmarks.random_model q4_k_m FILE [--layers 32] [--context 4096]

Shapes are those of microsoft/Phi-3-mini-4k-instruct; which tensors get which type is as llama-quantize has it
for Q4_K_M and Q4_0 (llama.cpp, ``llama_tensor_get_type``). The layers of a kind have equal weights, which no
engine can make use of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.random_blocks import random_matrix
from rushlight.gguf import GGMLType
from rushlight.gguf.writer import write_gguf
from rushlight.paths import cache_dir

N_EMBD, N_FF, N_HEAD, N_VOCAB, N_LAYER, N_CTX = 3072, 8192, 32, 32064, 32, 4096
FILE_TYPES = {"q4_k_m": 15, "q4_0": 2}
VERSION = 1
"""Part of the file's name; to be raised when other bytes are written."""


class Mix(NamedTuple):
    """Tensor types of a quantization; `more` is for the first, the last and every third layer between."""

    token_embd: GGMLType
    attn_qkv: GGMLType
    attn_output: GGMLType
    ffn_up: GGMLType
    ffn_down: GGMLType
    ffn_down_more: GGMLType
    output: GGMLType


_Q4, _Q4K, _Q5K, _Q6K = GGMLType.Q4_0, GGMLType.Q4_K, GGMLType.Q5_K, GGMLType.Q6_K
MIXES = {
    "q4_k_m": Mix(_Q4K, _Q5K, _Q4K, _Q4K, _Q4K, _Q6K, _Q6K),
    "q4_0": Mix(_Q4, _Q4, _Q4, _Q4, _Q4, _Q4, _Q6K),
}


def random_model(kind: str, n_layer: int = N_LAYER, n_ctx: int = N_CTX) -> Path:
    """A file of the cache, written the first time; `n_ctx` is the context that it claims."""
    path = cache_dir() / "benchmarks" / f"phi3-shape-{kind}-{n_layer}x{n_ctx}-v{VERSION}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path, kind, n_layer, n_ctx)
    return path


def write_model(path: Path, kind: str, n_layer: int, n_ctx: int) -> None:
    """Write a file, telling its size on standard error."""
    tensors = list(_tensors(MIXES[kind], n_layer))
    size = sum(raw.nbytes for *_, raw in tensors)
    print(f"Writing {size / 1e9:.2f} GB of random weights to {path}", file=sys.stderr)
    write_gguf(path, _metadata(kind, n_layer, n_ctx), tensors)


def _metadata(kind: str, n_layer: int, n_ctx: int) -> dict[str, Any]:
    sizes = {
        "context_length": n_ctx,
        "embedding_length": N_EMBD,
        "feed_forward_length": N_FF,
        "block_count": n_layer,
        "attention.head_count": N_HEAD,
        "attention.head_count_kv": N_HEAD,
        "rope.dimension_count": N_EMBD // N_HEAD,
        "attention.sliding_window": n_ctx,  # none at all; ik_llama.cpp insists on one
    }
    tokens, types = zip(*_vocabulary(), strict=True)
    return {
        "general.architecture": "phi3",
        # llama.cpp looks for more special tokens where the name has "phi-3" in it.
        "general.name": f"{n_layer} layers of random weights",
        "general.file_type": np.uint32(FILE_TYPES[kind]),
        **{f"phi3.{key}": np.uint32(value) for key, value in sizes.items()},
        "phi3.attention.layer_norm_rms_epsilon": np.float32(1e-5),
        "phi3.rope.freq_base": np.float32(10000),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.scores": -np.arange(N_VOCAB, dtype=np.float32),
        "tokenizer.ggml.token_type": np.array(types, np.int32),
        "tokenizer.ggml.bos_token_id": np.uint32(1),
        "tokenizer.ggml.eos_token_id": np.uint32(2),
        "tokenizer.ggml.unknown_token_id": np.uint32(0),
    }


def _vocabulary() -> Iterator[tuple[str, int]]:
    """SentencePiece tokens and their types: three control tokens, all bytes, then made-up words."""
    yield from (("<unk>", 2), ("<s>", 3), ("</s>", 3))
    yield from ((f"<0x{byte:02X}>", 6) for byte in range(256))
    yield from (("▁", 1), *((chr(letter), 1) for letter in range(ord("a"), ord("z") + 1)))
    n_left = N_VOCAB - 3 - 256 - 27
    yield from ((f"▁w{i}", 1) for i in range(n_left))


def _tensors(mix: Mix, n_layer: int) -> Iterator[tuple[str, GGMLType, tuple[int, ...], Any]]:
    rng = np.random.default_rng(0)
    made: dict[tuple[GGMLType, int, int], Any] = {}

    def matrix(name: str, type: GGMLType, n: int, k: int) -> tuple[str, GGMLType, tuple[int, ...], Any]:
        if (type, n, k) not in made:
            made[type, n, k] = random_matrix(type, n, k, rng)
        return f"{name}.weight", type, (n, k), made[type, n, k]

    def norm(name: str) -> tuple[str, GGMLType, tuple[int, ...], Any]:
        return f"{name}.weight", GGMLType.F32, (N_EMBD,), np.ones(N_EMBD, np.float32)

    yield matrix("token_embd", mix.token_embd, N_VOCAB, N_EMBD)
    for i in range(n_layer):
        more = i < n_layer // 8 or i >= 7 * n_layer // 8 or (i - n_layer // 8) % 3 == 2
        yield norm(f"blk.{i}.attn_norm")
        yield matrix(f"blk.{i}.attn_qkv", mix.attn_qkv, 3 * N_EMBD, N_EMBD)
        yield matrix(f"blk.{i}.attn_output", mix.attn_output, N_EMBD, N_EMBD)
        yield norm(f"blk.{i}.ffn_norm")
        yield matrix(f"blk.{i}.ffn_up", mix.ffn_up, 2 * N_FF, N_EMBD)
        yield matrix(f"blk.{i}.ffn_down", mix.ffn_down_more if more else mix.ffn_down, N_EMBD, N_FF)
    yield norm("output_norm")
    yield matrix("output", mix.output, N_VOCAB, N_EMBD)


def main() -> None:
    """Write the file that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=MIXES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--layers", type=int, default=N_LAYER)
    parser.add_argument("--context", type=int, default=N_CTX)
    args = parser.parse_args()
    write_model(args.file, args.kind, args.layers, args.context)


if __name__ == "__main__":
    main()
