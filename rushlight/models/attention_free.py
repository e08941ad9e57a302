"""Models without attention, and those of state-space layers alone: a norm and the layer, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rushlight.backends.base import Ops, Tensor
from rushlight.backends.cache import RecurrentCache
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, account_for_the_rest
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Linear
from rushlight.models.rope_scaling import RopeScaling
from rushlight.models.weights import Weights


class Block(NamedTuple):
    """The parts of one layer."""

    norm: Part
    mixer: Callable[[Ops, Tensor, int], Tensor]
    output: Linear


def read_attention_free(
    accounts: Accounting,
    arch: str,
    *,
    norm_eps: str = "attention.layer_norm_rms_epsilon",
    n_ff: int = 0,
    n_head_kv: int = 0,
) -> Config:
    """Read what such a model has beside the sizes of its layers.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        norm_eps: key of the norms' epsilon.
        n_ff: columns of its networks, already read; 0: it has none.
        n_head_kv: heads of keys, already read by an architecture whose layers share them.

    Raises:
        InvalidFile: a key that is missing, of another type or out of range.
        UnsupportedModel: heads or experts, or feed-forward networks where it has none.
    """
    n_ctx = accounts.get_int("context_length", min=1)
    accounts.expect("attention.head_count", 0, "this architecture has no attention")
    accounts.expect("attention.head_count_kv", n_head_kv, "this architecture has no attention")
    accounts.expect("feed_forward_length", n_ff, "this architecture has no feed-forward networks")
    accounts.expect("expert_count", 0, "this architecture has no experts")
    accounts.ignore("rope.*", "the layers know no positions")
    n_embd = accounts.get_int("embedding_length", min=1, max=1 << 24)
    account_for_the_rest(accounts, n_embd)
    return Config(
        arch=arch,
        n_ctx_train=n_ctx,
        n_embd=n_embd,
        n_layer=accounts.get_int("block_count", min=1, max=4096),
        n_head=0,
        n_head_kv=0,
        n_embd_head_k=0,
        n_embd_head_v=0,
        n_ff=n_ff,
        norm_eps=accounts.get_float(norm_eps, min=0.0),
        n_rot=0,
        rope_freq_base=0.0,
        rope_scaling=RopeScaling("none", 1.0, n_ctx),
    )


class AttentionFree(Decoder):
    """A model of such layers.

    Args:
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        cache: what each layer keeps.

    Attributes:
        blocks: an architecture sets them after this constructor.
    """

    blocks: Sequence[Block]

    def __init__(self, config: Config, weights: Weights, n_ctx: int | None, cache: RecurrentCache) -> None:
        super().__init__(config, weights, n_ctx, [cache] * config.n_layer)
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            mixed = block.mixer(ops, block.norm(ops, x), i)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, block.output(ops, mixed))
        return self.output(ops, self.output_norm(ops, x))
