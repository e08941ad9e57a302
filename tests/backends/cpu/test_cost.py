"""What a step costs, against the sizes that gguf-py reads from the file."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from helpers.expert_models import EXPERT_MODELS
from helpers.random_models import write_random_model

from rushlight.backends import load_backend
from rushlight.backends.cpu.cost import step_cost
from rushlight.backends.reference import ReferenceBackend
from rushlight.gguf import open_gguf
from rushlight.models import load_model

TINY = Path(__file__).parents[2] / "data" / "tiny"
# In the last layer only output tokens go on behind attention.
BEHIND_OUTPUTS = ("attn_output", "ffn_gate", "ffn_up", "ffn_down")
# Bytes of 16 rows' blocks, packed, for each byte of them in the file.
GROWTH = {"Q4_K": 2368 / (16 * 144), "Q5_K": 2880 / (16 * 176)}


def expected(path: Path) -> tuple[int, int, float]:
    """MACs of every token, those of output tokens on top, and packed bytes of whole groups of 16 rows."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors if len(t.shape) == 2}
    if "output.weight" in tensors:
        tensors.pop("token_embd.weight")
    last = max(int(name.split(".")[1]) for name in tensors if name.startswith("blk."))
    macs = {True: 0, False: 0}
    n_bytes = 0.0
    for name, tensor in tensors.items():
        parts = name.split(".")
        on_outputs = parts[0] != "blk" or (int(parts[1]) == last and parts[2] in BEHIND_OUTPUTS)
        macs[on_outputs] += int(tensor.n_elements)
        n_rows = int(tensor.shape[1])
        padding = -(-n_rows // 16) * 16 / n_rows
        n_bytes += int(tensor.n_bytes) * GROWTH.get(tensor.tensor_type.name, 1) * padding
    return macs[False], macs[True], n_bytes


@pytest.mark.parametrize(
    "name", ["llama-f32", "llama-mix", "phi3-q4_k_m", "gemma3-q4_k_m", "qwen2-q5", "qwen3-half"]
)
def test_cost_of_a_file(name: str) -> None:
    path = TINY / f"{name}.gguf"
    with open_gguf(path) as file:
        cost = step_cost(load_model(file, load_backend("cpu", 1), None))
    tokens, outputs, n_bytes = expected(path)
    assert (cost.token_macs, cost.output_macs) == (tokens, outputs)
    assert cost.weight_bytes == pytest.approx(n_bytes)
    assert cost.macs(5, 2) == 5 * tokens + 2 * outputs


def test_experts_cost_what_one_token_uses(tmp_path: Path) -> None:
    model = next(model for model in EXPERT_MODELS if model.name == "qwen3moe")
    write_random_model(model, tmp_path / "model.gguf")
    with open_gguf(tmp_path / "model.gguf") as file:
        cost = step_cost(load_model(file, load_backend("cpu", 1), None))
        sizes = {name: tensor.n_elements for name, tensor in file.tensors.items() if len(tensor.shape) > 1}
    sizes.pop("token_embd.weight")
    share = {name: size // 4 if "_exps" in name else size for name, size in sizes.items()}  # 4 of 16 experts
    assert cost.weight_bytes == 4 * sum(share.values())
    assert cost.token_macs + cost.output_macs == sum(share.values())


def test_weights_of_another_backend_are_refused() -> None:
    with open_gguf(TINY / "llama-f32.gguf") as file, pytest.raises(TypeError, match="matrix of the cpu"):
        step_cost(load_model(file, ReferenceBackend(), None))
