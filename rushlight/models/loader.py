"""Choose the model of a file by its ``general.architecture``."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path
from typing import cast

from rushlight.backends.base import Backend
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf import GGUFFile, StringArray
from rushlight.gguf.accounting import Accounting
from rushlight.gguf.values import shown
from rushlight.models.decoder import CausalModel

_SHARED = frozenset(
    {
        "__init__",
        "alibi",
        "attention_free",
        "bert_block",
        "blocks",
        "config",
        "conv_hybrid",
        "decoder",
        "delta_net",
        "encoder",
        "expert_config",
        "expert_hybrid",
        "experts",
        "gated_hybrid",
        "gemma4_experts",
        "indexer",
        "kda",
        "latent_attention",
        "layers",
        "linear",
        "llama_block",
        "llama_encoder",
        "loader",
        "pooling",
        "purpose",
        "rank_head",
        "ranking",
        "rope",
        "rope_scaling",
        "rwkv",
        "rwkv6_time_mix",
        "rwkv7_time_mix",
        "scales",
        "selective_ssm",
        "single_hybrid",
        "ssm",
        "vectors",
        "weights",
    }
)
_WITH_HYPHENS = {
    "command_r": "command-r",
    "ernie4_5_moe": "ernie4_5-moe",
    "exaone_moe": "exaone-moe",
    "falcon_h1": "falcon-h1",
    "gemma_embedding": "gemma-embedding",
    "glm_dsa": "glm-dsa",
    "gpt_oss": "gpt-oss",
    "hunyuan_dense": "hunyuan-dense",
    "hunyuan_moe": "hunyuan-moe",
    "jina_bert_v2": "jina-bert-v2",
    "jina_bert_v3": "jina-bert-v3",
    "kimi_k3": "kimi-k3",
    "kimi_linear": "kimi-linear",
    "llama_embed": "llama-embed",
    "minimax_01": "minimax-01",
    "minimax_m2": "minimax-m2",
    "minimax_m3": "minimax-m3",
    "modern_bert": "modern-bert",
    "muse_glimmer": "muse-glimmer",
    "neo_bert": "neo-bert",
    "nomic_bert": "nomic-bert",
    "nomic_bert_moe": "nomic-bert-moe",
    "pangu_embedded": "pangu-embedded",
}


def supported_architectures() -> list[str]:
    """Every value of ``general.architecture`` that loads: the names of the files here that are models."""
    return sorted(_modules())


def module_of(arch: str) -> str:
    """The module of a supported architecture; its file has underscores where the name has hyphens."""
    return f"rushlight.models.{_modules()[arch]}"


@cache
def _modules() -> dict[str, str]:
    names = [file.removesuffix(".py") for file in os.listdir(Path(__file__).parent) if file.endswith(".py")]
    return {_WITH_HYPHENS.get(name, name): name for name in names if name not in _SHARED}


def load_model(file: GGUFFile, backend: Backend, n_ctx: int | None = None) -> CausalModel:
    """Load the model of a file: its hyper-parameters strictly checked, its weights handed to a backend.

    Args:
        file: stays open as long as the backend needs its bytes.
        backend: takes every weight over.
        n_ctx: positions to load for; None: as many as the model was trained for. LongRoPE's factors are
            chosen by it.

    Raises:
        UnsupportedModel: an architecture, hyper-parameter or tensor that this version does not know.
        InvalidFile: a hyper-parameter or tensor that is missing or contradicts another.
        InvalidParameter: `n_ctx` is no number of positions that can be loaded.
    """
    arch = file.metadata.get("general.architecture")
    if not isinstance(arch, str):
        raise InvalidFile(f"{file.path} does not say its general.architecture; it is no language model.")
    supported = supported_architectures()
    if arch not in supported:
        raise UnsupportedModel(
            f"Architecture {shown(arch)} is not supported; supported are {', '.join(supported)}."
        )
    module = importlib.import_module(module_of(arch))
    accounts = Accounting(file, arch)
    model = cast(CausalModel, module.Model(accounts, backend, n_ctx))
    accounts.finish()
    vocabulary = file.metadata.get("tokenizer.ggml.tokens")
    if isinstance(vocabulary, StringArray) and len(vocabulary) != model.n_vocab:
        raise InvalidFile(f"The file has {len(vocabulary)} tokens, but embeddings of {model.n_vocab}.")
    return model
