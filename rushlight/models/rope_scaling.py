"""How a model's context was extended, as its metadata says (``{arch}.rope.scaling.*``)."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.gguf.accounting import Accounting

_TYPES = ("none", "linear", "yarn", "longrope")
_NO_YARN = "only YaRN's own temperature is implemented"


class RopeScaling(NamedTuple):
    """Extension of the context by RoPE, with llama.cpp's names and defaults.

    Attributes:
        type: "none", "linear", "yarn" or "longrope".
        factor: how many times longer the context became.
        n_ctx_orig: context of the training before the extension, in positions.
        attn_factor: multiplies queries and keys (LongRoPE's attention factor).
        ext_factor: share of YaRN's blend; 0: none.
        beta_fast, beta_slow: turns over `n_ctx_orig` between which YaRN blends.
        log_multiplier: how much of its temperature YaRN takes back; 1: all.
        truncate: between which pairs YaRN blends is rounded to whole pairs, outwards.
    """

    type: str
    factor: float
    n_ctx_orig: int
    attn_factor: float = 1.0
    ext_factor: float = 0.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    log_multiplier: float = 0.0
    truncate: bool = True


def read_rope_scaling(accounts: Accounting, n_ctx_train: int) -> RopeScaling:
    """Read ``rope.scaling.*``, and ``rope.scale_linear`` of old files.

    llama.cpp takes YaRN's ``yarn_beta_*`` from the file for a few architectures only; here they hold for all,
    as they do in transformers.

    Raises:
        InvalidFile, UnsupportedModel: as `Accounting` says.
    """
    kind = accounts.get_str("rope.scaling.type", "linear", choices=_TYPES)
    old_factor = accounts.get_float("rope.scale_linear", 0.0, min=0.0)
    factor = accounts.get_float("rope.scaling.factor", old_factor, min=0.0)
    ext_factor = accounts.get_float("rope.scaling.yarn_ext_factor", -1.0)
    beta_fast = accounts.get_float("rope.scaling.yarn_beta_fast", 32.0, min=1e-3)
    beta_slow = accounts.get_float("rope.scaling.yarn_beta_slow", 1.0, min=1e-3)
    accounts.expect("rope.scaling.yarn_attn_factor", 1.0, _NO_YARN)
    accounts.expect("rope.scaling.alpha", 0.0, "scaling by alpha is not implemented")
    accounts.ignore("rope.scaling.finetuned", "says how the model was trained, which changes nothing here")
    return RopeScaling(
        type=kind,
        factor=1.0 if kind == "none" or factor == 0 else factor,
        n_ctx_orig=accounts.get_int("rope.scaling.original_context_length", n_ctx_train, min=1),
        attn_factor=accounts.get_float("rope.scaling.attn_factor", 1.0, min=1e-3),
        # A negative share means "not set": all of it with YaRN, none without.
        ext_factor=(1.0 if ext_factor < 0 else ext_factor) if kind == "yarn" else 0.0,
        beta_fast=beta_fast,
        beta_slow=beta_slow,
        log_multiplier=accounts.get_float("rope.scaling.yarn_log_multiplier", 0.0, min=0.0),
    )
