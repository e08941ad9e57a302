"""Hold models of transformers, through llama.cpp's converter, against Rushlight: keys, tensors and logits.

The files of the tests are written by Rushlight; these are written by the program that writes the files people
download, and what they should say comes from the models' own code. Run from the repository root with a Python
that has torch, transformers, gguf and Rushlight's dependencies, and the source of llama.cpp beside it:

    PYTHONPATH=.:tests/goldens python tests/goldens/check_converted.py LLAMA_CPP [name ...]

Every model is made in its own process, with random weights in float32. Without names all of them run and
``docs/converted.md`` is written. The error is the largest difference between logits of 64 random tokens, over
their standard deviation; where it is above 1e-5, `REASONS` says why.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from converted_models import COMMON, MODEL_TYPES, N_VOCAB, NAMES, OVERRIDES, PUBLISHED

COMMIT = "0c1e570"  # the one that oracle.py tells how to get
N_TOKENS = 64
TARGET = Path(__file__).parents[2] / "docs" / "converted.md"
_GELU = "GELU by its tangent's approximation, as llama.cpp has it; transformers computes it by erf"
REASONS = {
    "falcon": _GELU, "falcon_40b": _GELU, "gpt_neox": _GELU, "mpt": _GELU,
    "gemma3n_text": "the spread of activations is taken over n - 1 columns, as in llama.cpp, not over n",
    "glm": "rounding", "glm_moe_dsa": "rounding", "glm4_moe_lite": "rounding",
    "exaone4": "rounding, of 64 layers",
}  # fmt: skip


def configuration(name: str) -> Any:
    """The small configuration of a model."""
    from transformers import AutoConfig

    kind = type(AutoConfig.for_model(MODEL_TYPES.get(name, name)))
    plain, own = kind(), OVERRIDES.get(name, {})

    def knows(key: str) -> bool:
        try:
            return hasattr(plain, key)
        except Exception:  # a value that differs by layer
            return True

    settings = {key: value for key, value in COMMON.items() if knows(key)} | own
    unset = [key for key, value in own.items() if value is None and key != "sliding_window"]
    return kind(**{key: value for key, value in settings.items() if key not in unset})


def build(name: str, folder: Path) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float32]]]:
    """Make a model, save it as its publisher would, and give a prompt and its logits."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(configuration(name), attn_implementation="eager").float().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() > 1:
                weight.copy_(noise if "embed" in key else noise * 0.7 / weight.shape[-1] ** 0.5)
            elif key.endswith("bias"):
                weight.copy_(0.2 * noise)
            elif "norm" in key.lower():
                weight.add_(0.2 * noise)
        ids = torch.randint(3, 256, (1, N_TOKENS), generator=generator)
        logits = model(ids, use_cache=False).logits[0].numpy()
    model.save_pretrained(folder)
    vocabulary = {"vocab": {f"t{i}": i for i in range(N_VOCAB)}, "merges": []}
    (folder / "tokenizer.json").write_text(json.dumps({"model": vocabulary, "added_tokens": []}))
    return ids[0].tolist(), logits


def convert(name: str, folder: Path, path: Path) -> None:
    """Run llama.cpp's converter, but for the vocabulary, which is a dummy."""
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    hparams = ModelBase.load_hparams(folder, False) | PUBLISHED.get(name, {})
    converter = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    converter.no_mtp = True
    converter.set_vocab = _write_vocabulary
    converter(folder, gguf.LlamaFileType.ALL_F32, path, hparams=hparams, eager=True).write()


def _write_vocabulary(converter: Any) -> None:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    writer, n = converter.gguf_writer, N_VOCAB - len(letters)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*letters, "th", *(f"<{i}>" for i in range(n - 1))])
    writer.add_token_types([1] * (len(letters) + 1) + [4] * (n - 1))
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(2)


def compare(name: str, source: str, found: Any) -> None:
    """Send the architecture and the error of one model, or why there is none."""
    sys.path[:0] = [source, f"{source}/gguf-py"]
    from transformers.utils import logging

    from rushlight import LLM

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        try:
            ids, expected = build(name, Path(folder))
            convert(name, Path(folder), path)
            with LLM(path, backend="reference", kv_dtype="f32", n_ctx=128) as llm:
                difference = np.abs(llm.logits(ids) - expected).max() / expected.std()
                found.put((llm.config.arch, float(difference)))
        except Exception as error:
            found.put(("", f"{type(error).__name__}: {error}"))


def page(rows: list[tuple[str, str, float]]) -> str:
    """The text of docs/converted.md."""
    import torch
    import transformers

    lines = [
        "# Through llama.cpp's converter",
        "",
        "<!-- Written by tests/goldens/check_converted.py. -->",
        "",
        "Small models with random weights, made by transformers and written to GGUF by the converter of",
        "llama.cpp, which made most of the files there are; what Rushlight computes of them in float32. The",
        f"error is the largest difference between the logits of {N_TOKENS} random tokens, over their",
        "standard deviation.",
        "",
        f"transformers {transformers.__version__}, torch {torch.__version__}, llama.cpp {COMMIT}.",
        "",
        "| transformers | `general.architecture` | error |  |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {arch} | {error:.1e} | {REASONS.get(name, '')} |" for name, arch, error in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare the models that are named, or all."""
    source, names = sys.argv[1], sys.argv[2:] or NAMES
    rows, failed = [], 0
    for name in names:
        found = multiprocessing.Queue()
        process = multiprocessing.Process(target=compare, args=(name, source, found))
        process.start()
        arch, error = found.get()
        process.join()
        good = isinstance(error, float) and (error < 1e-5 or (name in REASONS and error < 2e-3))
        failed += not good
        print(f"{name:<20}{arch:<16}{error}{'' if good else '   <'}", flush=True)
        rows.append((name, arch, error))
    if names is NAMES and not failed:
        TARGET.write_text(page(rows), encoding="utf-8")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
