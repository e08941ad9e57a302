"""Granite 4 Hybrid: Tiny, Small, Micro, and the small models without state-space layers.

A granite block (see `rushlight.models.granite`) with its four multipliers, and with these differences:

- A layer whose entry of ``attention.head_count_kv`` is 0 has a Mamba-2 layer (see `rushlight.models.ssm`)
  with the output ``ssm_out`` in place of attention.
- ``rope.scaling.finetuned`` false, as in Granite 4, says that attention knows no positions.
- Bamba, which turns half of each head, is refused: llama.cpp's converter reorders the columns of whole heads,
  after which no RoPE finds the pairs again, in llama.cpp neither.
- With ``expert_count`` feed-forward networks are mixtures as in granitemoe (see
  `rushlight.models.granitemoe`).

Source: IBM 2025, "Granite 4.0"; ``granite-hybrid.cpp`` in llama.cpp's ``src/models``;
``modeling_granitemoehybrid.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.expert_config import ExpertConfig, read_experts
from rushlight.models.experts import ffn_of
from rushlight.models.granite import read_multipliers
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Joined
from rushlight.models.ssm import Mamba2, SsmSizes, read_ssm
from rushlight.models.weights import Weights


class Block:
    """The weights of one layer; `sizes` is None where it has attention."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: SsmSizes | None,
        experts: ExpertConfig | None,
        layer: int,
    ) -> None:
        name, n_embd = f"blk.{layer}", config.n_embd
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.mixer: Joined | Mamba2
        if sizes is None:
            self.mixer = weights.qkv(name, config)
            self.output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        else:
            self.mixer = Mamba2(weights, config, sizes, name)
            self.output = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_inner)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, config.norm_eps)
        self.ffn = ffn_of(weights, config, experts, layer)


class Model(Decoder):
    """A model of the granitehybrid architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        has_rope = accounts.get_bool("rope.scaling.finetuned", True)
        self.multipliers = read_multipliers(accounts)
        heads = read_heads(accounts)
        config = read_config(accounts, "granitehybrid", n_head_kv=max(heads), experts=True)
        if has_rope and config.n_rot < config.n_embd_head_k:
            raise UnsupportedModel(
                f"granitehybrid.rope.dimension_count is {config.n_rot} of {config.n_embd_head_k}, as in "
                "Bamba, whose files hold the columns of heads in an order that RoPE cannot turn."
            )
        experts = _read_experts(accounts, config)
        sizes = None
        if all(heads):
            accounts.ignore("ssm.*", "every layer has attention")
        else:
            sizes = read_ssm(accounts)
        weights = Weights(accounts, backend)
        kept = [0 if n or sizes is None else sizes.cache for n in heads]
        super().__init__(config, weights, n_ctx, kept)
        factors = weights.rope_factors(config)
        self.rope = self.rope_table(interleaved=True, factors=factors) if has_rope else None
        self.blocks = [Block(weights, config, None if n else sizes, experts, i) for i, n in enumerate(heads)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        by = self.multipliers
        x = ops.embed(self.token_embd, by.embedding)
        for i, block in enumerate(self.blocks):
            normed = block.attn_norm(ops, x)
            if isinstance(block.mixer, Mamba2):
                mixed = block.mixer(ops, normed, i)
            else:
                mixed = self.attend(ops, block.mixer(ops, normed), i, self.rope, by.attention)
            if block is self.blocks[-1]:
                x, mixed = ops.outputs(x), ops.outputs(mixed)
            x = ops.add(x, ops.scale(block.output(ops, mixed), by.residual))
            x = ops.add(x, ops.scale(block.ffn(ops, block.ffn_norm(ops, x)), by.residual))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), by.logits)


def _read_experts(accounts: Accounting, config: Config) -> ExpertConfig | None:
    n_ff_shared = accounts.get_int("expert_shared_feed_forward_length", 0, min=0)
    if accounts.get_int("expert_count", 0, min=0) == 0:
        accounts.expect("expert_used_count", 0, "there are no experts")
        return None
    return read_experts(accounts, config.n_layer, config.n_ff)._replace(n_ff_shared=n_ff_shared)
