"""Write the tiny random models of tiny_specs.py to tests/data/tiny.

Run from the repository root with the Python of the oracle's environment (see oracle.py: ggml's own quantizer
makes the blocks, so that scales are as in real files):

    oracle/bin/python tests/goldens/make_tiny_models.py [name ...]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import gguf
from oracle import quantize
from tiny_specs import TINY_MODELS, TinyModel
from tiny_tensors import tensors_of
from tiny_vocab import N_VOCAB, vocabulary_of

TINY_DIR = Path(__file__).parents[1] / "data" / "tiny"


def _hyper_parameters(model: TinyModel) -> dict[str, int | float | str]:
    """The `{arch}.*` keys that llama.cpp's converter writes for this architecture, without the prefix."""
    keys: dict[str, int | float | str] = {
        "context_length": model.n_ctx_train,
        "embedding_length": model.n_embd,
        "block_count": model.n_layer,
        "feed_forward_length": model.n_ff,
        "attention.head_count": model.n_head,
        "attention.head_count_kv": model.n_head_kv,
    }
    if model.arch == "phi2":
        keys["attention.layer_norm_epsilon"] = 1e-5
    else:
        keys["attention.layer_norm_rms_epsilon"] = 1e-6
        keys["rope.freq_base"] = model.rope_freq_base
    if model.arch in ("gemma3", "qwen3"):
        keys["attention.key_length"] = keys["attention.value_length"] = model.head_dim
    if model.arch in ("llama", "phi3", "phi2"):
        keys["rope.dimension_count"] = model.n_rot or model.head_dim
    if model.arch == "llama":
        keys["vocab_size"] = N_VOCAB
    return {**keys, **model.metadata}


def _add_metadata(writer: gguf.GGUFWriter, model: TinyModel) -> None:
    writer.add_name(f"tiny random {model.name}")
    for key, value in _hyper_parameters(model).items():
        full = f"{model.arch}.{key}"
        if isinstance(value, str):
            writer.add_string(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        else:
            writer.add_uint32(full, value)
    writer.add_quantization_version(2)


def _add_vocabulary(writer: gguf.GGUFWriter, model: TinyModel) -> None:
    vocabulary = vocabulary_of(model.arch)
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
    if vocabulary.merges:
        writer.add_token_merges(vocabulary.merges)
    for name, token in vocabulary.special.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    for name, flag in vocabulary.flags.items():
        writer.add_bool(f"tokenizer.ggml.{name}", flag)
    writer.add_chat_template(vocabulary.chat_template)


def _type_of(model: TinyModel, tensor: str) -> gguf.GGMLQuantizationType:
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", tensor)
    if match is None or match[2] not in model.types:
        return gguf.GGMLQuantizationType.F32
    choices = model.types[match[2]]
    return gguf.GGMLQuantizationType[choices[int(match[1] or 0) % len(choices)]]


def write(model: TinyModel, path: Path) -> None:
    """Write one model."""
    writer = gguf.GGUFWriter(path, model.arch)
    _add_metadata(writer, model)
    _add_vocabulary(writer, model)
    for name, values in tensors_of(model).items():
        kind = _type_of(model, name)
        if kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Write the models named on the command line, or all of them."""
    TINY_DIR.mkdir(parents=True, exist_ok=True)
    for model in TINY_MODELS:
        if len(sys.argv) == 1 or model.name in sys.argv[1:]:
            path = TINY_DIR / f"{model.name}.gguf"
            write(model, path)
            print(f"{path.stat().st_size:9,d}  {path.name}")


if __name__ == "__main__":
    main()
