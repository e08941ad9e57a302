"""``rushlight inspect``: what a model takes, and what is wrong with its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.embeddings import MODELS
from helpers.random_models import write_random_model
from helpers.random_tables import RANDOM_MODELS
from helpers.vocab_files import VocabularyUnavailableError, is_packed, vocabulary_file, vocabulary_names

from rushlight.backends.cpu.executor import CpuExecutor
from rushlight.backends.cpu.planner import Planner
from rushlight.backends.cpu.target import detect_target
from rushlight.cli import main
from rushlight.cli.file_checks import WARNING, check_text
from rushlight.cli.machine import total_memory
from rushlight.engine.limits import limits_for
from rushlight.errors import BackendUnavailable, RushlightError
from rushlight.gguf import GGMLType, open_gguf
from rushlight.gguf.writer import TensorData, _header, write_gguf
from rushlight.llm import LLM
from rushlight.models import load_model
from rushlight.params import EngineOptions

Captured = pytest.CaptureFixture[str]
Metadata = dict[str, Any]
TINY = Path(__file__).parents[1] / "data" / "tiny"
NO_TEMPLATE = "The file has no chat template; ChatML stands in, which the model may not know."
needs_kernels = pytest.mark.skipif(detect_target().target is None, reason="no kernels on this processor")


def inspect(path: Path, capsys: Captured, *options: str) -> tuple[int, dict[str, Any]]:
    code = main(["inspect", str(path), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


@needs_kernels
@pytest.mark.parametrize(("name", "n_ctx"), [("gemma3-q4_k_m", 48), ("phi3-q4_k_m", 64), ("qwen2-q5", 300)])
def test_memory_is_what_a_loaded_model_has_reserved(name: str, n_ctx: int, capsys: Captured) -> None:
    compare_with_a_loaded_model(TINY / f"{name}.gguf", n_ctx, capsys)


@needs_kernels
@pytest.mark.parametrize("name", ["mixtral", "gpt-oss", "glm-dsa", "gemma2"])
def test_memory_of_other_layers(name: str, tmp_path: Path, capsys: Captured) -> None:
    model = next(model for model in RANDOM_MODELS if model.name == name)
    write_random_model(model, tmp_path / "model.gguf")
    compare_with_a_loaded_model(tmp_path / "model.gguf", 500, capsys)


@needs_kernels
@pytest.mark.parametrize("name", ["mamba", "lfm2"])
def test_weights_of_convolutions_and_scans_count_once(name: str, tmp_path: Path) -> None:
    model = next(model for model in RANDOM_MODELS if model.name == name)
    write_random_model(model, tmp_path / "model.gguf")
    planner = Planner(1)
    with open_gguf(tmp_path / "model.gguf") as file:
        loaded = load_model(file, planner, 300)
    needs = planner.needs(loaded, limits_for(loaded.cache, 300, "f16", EngineOptions()))
    rope = getattr(loaded, "rope", None)
    assert needs.tables == (0 if rope is None else rope.cos.nbytes + rope.sin.nbytes)
    conv = [uses for tensor, uses in planner.uses.items() if "conv.weight" in tensor or "conv1d" in tensor]
    assert conv and all(len(uses) == 1 and uses[0].n_bytes for uses in conv)


def compare_with_a_loaded_model(path: Path, n_ctx: int, capsys: Captured) -> None:
    code, found = inspect(path, capsys, "-c", str(n_ctx))
    memory = found["memory"]
    assert code == 0 and memory["n_ctx"] == n_ctx
    with LLM(path, n_ctx=n_ctx, backend="cpu") as llm:
        executor = llm._engine._executor
        assert isinstance(executor, CpuExecutor)
        binding, n_layer = executor.binding, len(llm.model.cache.specs)
        regions = (binding.arena, binding.workspace, binding.scratch)
        keep = {id(item): item for item in binding.recording.keep}.values()
        cache = sum(
            binding.cache.bytes_of(i, values).nbytes for i in range(n_layer) for values in (False, True)
        )
    tables = sum(item.nbytes for item in keep if isinstance(item, np.ndarray))
    assert memory["working"] == sum(region.n_bytes for region in regions) + tables
    weights = [part for item in keep for part in getattr(item, "parts", (item,)) if hasattr(part, "region")]
    assert memory["weights"] == sum(weight.region.n_bytes for weight in weights)
    assert memory["weights"] == sum(tensor["memory"] or 0 for tensor in found["tensors"])
    # One sequence is computed at a time out of the many that the caches have room for.
    assert memory["cache_most"] == cache >= memory["cache"]
    assert memory["cache"] == sum(layer["n_bytes"] for layer in memory["layers"])
    assert memory["total"] == memory["weights"] + memory["cache"] + memory["working"]


def test_windows_keep_little(capsys: Captured) -> None:
    _, found = inspect(TINY / "gemma3-f32.gguf", capsys, "-c", "60000")
    layers = found["memory"]["layers"]
    whole = [layer["n_bytes"] for layer in layers if not layer["window"]]
    sliding = [layer["n_bytes"] for layer in layers if layer["window"]]
    assert whole and sliding and min(whole) > 50 * max(sliding)
    assert [layer["window"] for layer in layers] == [16] * 5 + [0] + [16]
    assert found["tensors"][0]["runs_on"] == "cpu embed_f32 and linear_f32"


def test_nothing_is_loaded(tmp_path: Path, capsys: Captured) -> None:
    """A model of 60 GB, most of it holes, that few machines have the memory for."""
    resource = pytest.importorskip("resource")
    path, n_embd, n_layer = tmp_path / "large.gguf", 8192, 60
    with open_gguf(TINY / "llama-f32.gguf") as small:
        metadata = {key: value for key, value in small.metadata.items() if not key.startswith("llama.")}
        n_vocab = len(metadata["tokenizer.ggml.tokens"])
    sizes = {"embedding_length": n_embd, "block_count": n_layer, "feed_forward_length": 4 * n_embd}
    sizes |= {"context_length": 4096, "attention.head_count": 64, "attention.head_count_kv": 8}
    metadata |= {f"llama.{key}": value for key, value in sizes.items()}
    metadata["llama.attention.layer_norm_rms_epsilon"] = 1e-5
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd": (n_vocab, n_embd),
        "output_norm": (n_embd,),
    }
    for i in range(n_layer):
        layer = {"attn_norm": (n_embd,), "attn_q": (n_embd, n_embd), "attn_k": (1024, n_embd)}
        layer |= {"attn_v": (1024, n_embd), "attn_output": (n_embd, n_embd), "ffn_norm": (n_embd,)}
        layer |= {"ffn_gate": (4 * n_embd, n_embd), "ffn_up": (4 * n_embd, n_embd)}
        layer |= {"ffn_down": (n_embd, 4 * n_embd)}
        shapes |= {f"blk.{i}.{name}": shape for name, shape in layer.items()}
    write_holes(path, metadata, shapes)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    code, found = inspect(path, capsys)
    assert time.perf_counter() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    memory = found["memory"]
    assert code == 0 and memory["weights"] > 55e9 and memory["n_ctx"] == 4096
    assert memory["machine"] == total_memory()
    if memory["total"] > memory["machine"]:
        assert [f["message"].split(";")[0] for f in found["findings"] if "memory" in f["message"]] == [
            "The model does not fit this machine's memory"
        ]


def write_holes(path: Path, metadata: Metadata, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write a file of Q8_0 matrices and float32 vectors whose data are holes."""
    tensors = []
    for name, shape in shapes.items():
        type, row = (GGMLType.Q8_0, shape[-1] // 32 * 34) if len(shape) > 1 else (GGMLType.F32, 4 * shape[-1])
        raw = np.broadcast_to(np.zeros(1, np.uint8), (*shape[:-1], row))
        tensors.append(TensorData(f"{name}.weight", type, shape, raw))
    header = _header(metadata, {}, tensors, 32)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 32 * (1 + sum(-(-tensor.raw.nbytes // 32) for tensor in tensors)))


def changed(tmp_path: Path, change: Callable[[Metadata], None]) -> Path:
    """The tiny llama with other metadata."""
    with open_gguf(TINY / "llama-f32.gguf") as file:
        metadata = dict(file.metadata)
        types = dict(file.metadata_types)
        tensors = [(t.name, t.type, t.shape, t.raw) for t in file.tensors.values()]
        change(metadata)
        write_gguf(
            tmp_path / "changed.gguf",
            metadata,
            tensors,
            types={key: types[key] for key in metadata if key in types},
        )
    return tmp_path / "changed.gguf"


def drop(*keys: str) -> Callable[[Metadata], None]:
    return lambda metadata: [metadata.pop(key) for key in keys] and None


def put(key: str, value: Any) -> Callable[[Metadata], None]:
    return lambda metadata: metadata.update({key: value})


TEMPLATE = "tokenizer.chat_template"
CASES: dict[str, tuple[Callable[[Metadata], None], int, str]] = {
    "nothing": (lambda metadata: None, 0, ""),
    "architecture": (
        put("general.architecture", "warp"),
        1,
        "Architecture 'warp' is not supported; supported",
    ),
    "unread key": (put("llama.warp_factor", 9), 1, "has metadata llama.warp_factor"),
    "missing key": (drop("llama.block_count"), 1, "has no metadata llama.block_count"),
    "shape": (put("llama.feed_forward_length", 8), 1, "the metadata calls for"),
    "no tokenizer": (drop("tokenizer.ggml.model"), 1, "the file holds no tokenizer"),
    "pre-tokenizer": (put("tokenizer.ggml.pre", "warp"), 1, "warp"),
    "eos": (put("tokenizer.ggml.eos_token_id", 99_999), 1, "eos_token_id is 99999"),
    "pad": (put("tokenizer.ggml.padding_token_id", 99_999), 0, "padding_token_id is 99999"),
    "no template": (drop(TEMPLATE), 0, NO_TEMPLATE),
    "template syntax": (put(TEMPLATE, "{% for %}"), 1, "cannot be read, line 1"),
    "template fails": (put(TEMPLATE, "{{ messages[0].tool.name.x }}"), 1, "Only 'rushlight run --raw' works"),
    "template refuses": (
        put(
            TEMPLATE,
            "{% if messages | length > 1 %}{{ raise_exception('one') }}{% endif %}{{ messages[0].content }}",
        ),
        0,
        "several turns does not work",
    ),
    "template without words": (put(TEMPLATE, "{{ bos_token }}"), 0, "leaves out what the user says"),
    "template of another model": (
        put(TEMPLATE, "<|warp|>{{ messages[0].content }}<|/warp|>"),
        0,
        "writes <|warp|>, <|/warp|>, which are no tokens",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_one_line_and_the_rest_is_there(case: str, tmp_path: Path, capsys: Captured) -> None:
    change, code, message = CASES[case]
    path = changed(tmp_path, change)
    found_code, found = inspect(path, capsys)
    messages = [f["message"] for f in found["findings"]]
    assert found_code == code
    assert (messages == []) if not message else any(message in line for line in messages)
    assert ("error" in {f["level"] for f in found["findings"]}) is bool(code)
    assert len(found["tensors"]) > 5 and len(found["metadata"]) > 10
    assert (found["memory"] is None) is (case in {"architecture", "unread key", "missing key", "shape"})
    assert main(["inspect", str(path)]) == code
    out = capsys.readouterr().out
    checks = out.split("\nchecks\n")[1].splitlines()
    assert len(checks) == max(1, len(messages)) and "token_embd.weight" in out


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][1]])
def test_an_error_is_where_running_fails(case: str, tmp_path: Path) -> None:
    path = changed(tmp_path, CASES[case][0])
    with pytest.raises(RushlightError), LLM(path, backend="reference") as llm:
        llm.apply_chat_template([{"role": "user", "content": "Hi"}])


def test_a_context_out_of_range(capsys: Captured) -> None:
    assert main(["inspect", str(TINY / "llama-f32.gguf"), "-c", "1"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == "error: n_ctx is 1; it must be an integer of at least 2.\n"


def test_bytes_that_do_not_come_back(tmp_path: Path, capsys: Captured) -> None:
    def forget_bytes(metadata: Metadata) -> None:
        tokens = list(metadata["tokenizer.ggml.tokens"])
        tokens[100:110] = [f"gone{i}" for i in range(10)]
        metadata["tokenizer.ggml.tokens"] = tokens

    code, found = inspect(changed(tmp_path, forget_bytes), capsys)
    assert code == 0
    assert any("back as it was" in f["message"] for f in found["findings"])


@pytest.mark.parametrize("name", vocabulary_names())
def test_nothing_is_wrong_with_real_vocabularies(name: str) -> None:
    try:
        path = vocabulary_file(name)
    except VocabularyUnavailableError as error:
        if is_packed(name):
            raise
        pytest.skip(str(error))
    with open_gguf(path) as file:
        findings = list(check_text(file))
    assert findings in ([], [(WARNING, NO_TEMPLATE)])


def test_a_planner_runs_nothing() -> None:
    with open_gguf(TINY / "llama-f32.gguf") as file:
        planner = Planner(1)
        planner.matrix(file.tensors["blk.0.attn_q.weight"])
        planner.wait()
        planner.close()
        with pytest.raises(BackendUnavailable, match="no weights"):
            planner.executor(None, None)  # type: ignore[arg-type]


def test_a_model_for_embeddings(tmp_path: Path, capsys: Captured) -> None:
    write_random_model(MODELS["qwen3-last"], tmp_path / "model.gguf")
    code, found = inspect(tmp_path / "model.gguf", capsys)
    assert (code, found["pooling"]) == (0, "last")
    # The head, which is the embedding table, is not packed.
    assert found["tensors"][0]["runs_on"] == "cpu embed_f32" and found["tensors"][0]["memory"] == 0
    assert main(["inspect", str(tmp_path / "model.gguf")]) == 0
    assert "embeddings, pooled by last, and no text" in capsys.readouterr().out


def test_a_model_that_reads_both_ways(tmp_path: Path, capsys: Captured) -> None:
    for name, makes, reach in (
        ("gemma-embedding", "embeddings, pooled by mean, and no text", "6 tokens to each side"),
        ("bert-none", "hidden states; the file names no pooling_type", "attention both ways, all tokens"),
        ("bert-rank", "scores of documents for a query, and no text", "attention both ways, all tokens"),
    ):
        write_random_model(MODELS[name], tmp_path / "model.gguf")
        assert main(["inspect", str(tmp_path / "model.gguf")]) == 0
        shown = capsys.readouterr().out
        assert makes in shown and reach in shown
        assert "chat template" not in shown.partition("\nchecks\n")[2]
