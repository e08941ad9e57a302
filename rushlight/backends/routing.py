"""How the tokens of a mixture of experts choose their experts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

GATINGS = ("softmax", "sigmoid", "softmax_selected", "sparse_mixer")

SPARSE_MIXER_WIDTH = 0.02
"""Twice the jitter of Phi-3.5-MoE's router: how far below the best, relative to it, an expert may be."""

SMALLEST_SUM = 2.0**-14
"""Weights are divided by their sum, but by nothing smaller than this (as in llama.cpp)."""


@dataclass(frozen=True)
class Routing:
    """From router logits to chosen experts and their weights, as llama.cpp's ``build_moe_ffn`` defines it.

    Attributes:
        n_used: experts that each token uses.
        gating: what an expert's probability is: "softmax" over all experts, "sigmoid" of its own logit, or
            "softmax_selected", softmax over the chosen experts; "sparse_mixer", one choice after the other:
            the best logit's softmax over those of the experts left that are near it, which is where
            ``best - logit <= SPARSE_MIXER_WIDTH * max(abs(logit), best)`` (Liu et al. 2024, "GRIN"; as
            ``modeling_phimoe.py`` in transformers has it), without bias, groups or `normalize`.
        normalize: divide the weights of a token by their sum.
        scale: then multiply them by this.
        n_group, n_group_used: experts in `n_group` equal runs, of which only the `n_group_used` with the
            highest sums of their two best scores take part (DeepSeek-V3); 1: all take part.
    """

    n_used: int
    gating: str = "softmax"
    normalize: bool = True
    scale: float = 1.0
    n_group: int = 1
    n_group_used: int = 1

    def check(self, n_expert: int) -> None:
        """Raise ValueError unless it can choose `n_used` of `n_expert` experts."""
        per_group, rest = divmod(n_expert, self.n_group)
        fits = not rest and 1 <= self.n_group_used <= self.n_group and (self.n_group == 1 or per_group >= 2)
        plain = self.n_group == 1 and not self.normalize
        fits = fits and (self.gating != "sparse_mixer" or plain)
        if self.gating not in GATINGS or not fits or not 1 <= self.n_used <= per_group * self.n_group_used:
            raise ValueError(f"{self} cannot choose among {n_expert} experts")


class Routes(Protocol):
    """The experts that each row of a step has chosen, and their weights; only `Ops` look inside."""

    @property
    def n_used(self) -> int:
        """Experts of each row."""
        ...
