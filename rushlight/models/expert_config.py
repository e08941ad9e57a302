"""Hyper-parameters of a mixture of experts, read from a file's metadata and checked."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.backends.routing import Routing
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import same_in_all_layers

_MAX_EXPERTS = 1 << 16
_GATINGS = {1: "softmax", 2: "sigmoid", 3: "softmax_selected"}


class ExpertConfig(NamedTuple):
    """Sizes of a mixture.

    Attributes:
        n_expert: experts of a layer (X).
        n_ff: columns inside an expert.
        routing: how tokens choose.
        n_ff_shared: columns inside the expert that every token uses; 0: there is none.
        n_layer_dense_lead: layers at the beginning that are no mixtures.
    """

    n_expert: int
    n_ff: int
    routing: Routing
    n_ff_shared: int = 0
    n_layer_dense_lead: int = 0


def read_experts(
    accounts: Accounting,
    n_layer: int,
    n_ff: int,
    *,
    gating: str = "softmax",
    normalize: bool = True,
    scale: float = 1.0,
) -> ExpertConfig:
    """Read ``expert_count``, ``expert_used_count`` and ``expert_group_*``; the rest an architecture knows.

    Args:
        accounts: of the file.
        n_layer: layers.
        n_ff: columns inside an expert.
        gating, normalize, scale: as `Routing` has them.

    Raises:
        InvalidFile: a key that is missing, of another type or out of range, or that contradicts another.
        UnsupportedModel: numbers that differ by layer.
    """
    n_expert = accounts.get_int("expert_count", min=1, max=_MAX_EXPERTS)
    n_used = same_in_all_layers(accounts, "expert_used_count", n_layer)
    n_group = accounts.get_int("expert_group_count", 1, min=0) or 1  # 0 stands for none, as in llama.cpp
    n_group_used = accounts.get_int("expert_group_used_count", n_group, min=0) or n_group
    routing = Routing(n_used, gating, normalize, scale, n_group, n_group_used)
    try:
        routing.check(n_expert)
    except ValueError:
        raise InvalidFile(
            f"{n_used} of {n_expert} experts, from {n_group_used} of {n_group} groups, cannot be chosen."
        ) from None
    return ExpertConfig(n_expert, n_ff, routing)


def read_expert_ff(accounts: Accounting, n_layer: int, default: int | None = None) -> int:
    """``expert_feed_forward_length``; a file may leave it out, or have 0, where there is a `default`."""
    if default is None:
        return same_in_all_layers(accounts, "expert_feed_forward_length", n_layer)
    sizes = set(accounts.get_int_or_array("expert_feed_forward_length", n_layer, (0,), min=0))
    if len(sizes) > 1:
        raise UnsupportedModel("expert_feed_forward_length differs by layer, which is not supported.")
    return sizes.pop() or default


def read_gating(accounts: Accounting, default: str) -> str:
    """``expert_gating_func``: 1 softmax, 2 sigmoid, 3 softmax over the chosen; 0 or no key: `default`.

    Raises:
        UnsupportedModel: another number.
    """
    number = accounts.get_int("expert_gating_func", 0)
    if number and number not in _GATINGS:
        raise UnsupportedModel(f"expert_gating_func is {number}; supported are 1 to {max(_GATINGS)}.")
    return _GATINGS.get(number, default)


def read_routed_experts(accounts: Accounting, n_layer: int, gating: str) -> ExpertConfig:
    """Read a mixture whose routing the file spells out, and what `read_experts` reads.

    Columns are ``expert_feed_forward_length``; ``expert_gating_func``, ``expert_weights_norm`` and
    ``expert_weights_scale`` are `Routing`'s.

    Args:
        accounts: of the file.
        n_layer: layers.
        gating: that of a file without ``expert_gating_func``.

    Raises:
        InvalidFile, UnsupportedModel: as `read_experts` says.
    """
    return read_experts(
        accounts,
        n_layer,
        read_expert_ff(accounts, n_layer),
        gating=read_gating(accounts, gating),
        normalize=accounts.get_bool("expert_weights_norm", False),
        scale=accounts.get_float("expert_weights_scale", 0.0) or 1.0,  # 0 stands for none, as in llama.cpp
    )


def read_deepseek_experts(accounts: Accounting, n_layer: int, gating: str) -> ExpertConfig:
    """Read what DeepSeek's mixtures have, and those that followed them.

    ``expert_shared_count`` experts of ``expert_feed_forward_length`` columns each are one that every token
    uses; the first ``leading_dense_block_count`` layers are no mixtures; the rest is as `read_routed_experts`
    has it.

    Args:
        accounts: of the file.
        n_layer: layers.
        gating: that of a file without ``expert_gating_func``.

    Raises:
        InvalidFile, UnsupportedModel: as `read_experts` says.
    """
    experts = read_routed_experts(accounts, n_layer, gating)
    return experts._replace(
        n_ff_shared=experts.n_ff * accounts.get_int("expert_shared_count", min=0, max=_MAX_EXPERTS),
        n_layer_dense_lead=accounts.get_int("leading_dense_block_count", 0, min=0),
    )
