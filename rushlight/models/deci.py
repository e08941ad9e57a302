"""Llama-Nemotron of NVIDIA and DeciLM: models whose layers a search has thinned out.

A llama block (see `rushlight.models.llama`) whose layers differ. ``attention.head_count``,
``attention.head_count_kv`` and ``feed_forward_length`` are lists, one number a layer:

- A layer without key-value heads has ``attn_output`` alone in place of attention. Without query heads, too,
  it has nothing in its place: the feed-forward network alone is added to the residual.
- A layer without attention may have no feed-forward network either, and does nothing then. Attention without
  one is refused: llama.cpp leaves such attention out, the model's own code does not.

RoPE turns interleaved pairs.

Source: Bercovich et al. 2025, "Llama-Nemotron: Efficient Reasoning Models"; ``deci.cpp`` in llama.cpp's
``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm, SwiGLU
from rushlight.models.weights import Weights

_MAX = 1 << 24


class Block:
    """The weights of one layer, whose heads and columns its configuration tells; 0: it has none."""

    def __init__(self, weights: Weights, config: Config, name: str) -> None:
        n_embd, eps = config.n_embd, config.norm_eps
        self.config = config
        if config.n_head_kv:
            n_attended = config.n_head * config.n_embd_head_v
            self.attn_qkv = weights.qkv(name, config)
            self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_attended)
        elif config.n_head:
            self.attn_output = weights.linear(f"{name}.attn_output", n_embd, n_embd)
        if config.n_head:
            self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.ffn = None
        if config.n_ff:
            self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
            self.ffn = SwiGLU(weights, config, name)


class Model(Decoder):
    """A model of the deci architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_layer = accounts.get_int("block_count", min=1, max=4096)
        heads, heads_kv, widths = (
            accounts.get_int_or_array(key, n_layer, min=0, max=_MAX)
            for key in ("attention.head_count", "attention.head_count_kv", "feed_forward_length")
        )
        _check(heads, heads_kv, widths)
        n_kv = next(n for n in heads_kv if n)
        config = read_config(accounts, "deci", n_head=max(heads), n_head_kv=n_kv, n_ff=max(widths))
        weights = Weights(accounts, backend)
        own = [
            config._replace(n_head=n_head, n_head_kv=n_head_kv, n_ff=n_ff)
            for n_head, n_head_kv, n_ff in zip(heads, heads_kv, widths, strict=True)
        ]
        keepers = [each for each in own if each.n_head_kv]
        super().__init__(config, weights, n_ctx, [0] * len(keepers), keepers)
        self.rope = self.rope_table(interleaved=True, factors=weights.rope_factors(config))
        self.blocks = [Block(weights, each, f"blk.{i}") for i, each in enumerate(own)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        layer = 0  # of the cache, where only layers with keys and values have a place
        for block in self.blocks:
            attended = None
            if block.config.n_head:
                attended = block.attn_norm(ops, x)
            if attended is not None and block.config.n_head_kv:
                qkv = block.attn_qkv(ops, attended)
                attended = self.attend(ops, qkv, layer, self.rope, config=block.config)
                layer += 1
            if block is self.blocks[-1]:
                x = ops.outputs(x)
                attended = None if attended is None else ops.outputs(attended)
            if attended is not None:
                x = ops.add(x, block.attn_output(ops, attended))
            if block.ffn is not None:
                x = ops.add(x, block.ffn(ops, block.ffn_norm(ops, x)))
        return self.output(ops, self.output_norm(ops, x))


def _check(heads: tuple[int, ...], heads_kv: tuple[int, ...], widths: tuple[int, ...]) -> None:
    if not any(heads_kv):
        raise InvalidFile("Metadata attention.head_count_kv holds only 0; expected heads in some layer.")
    for n_head, n_head_kv, n_ff in zip(heads, heads_kv, widths, strict=True):
        if n_head_kv and (n_head == 0 or n_head % n_head_kv):
            raise InvalidFile(f"{n_head} query heads cannot share {n_head_kv} key-value heads evenly.")
        if n_head and n_ff == 0:
            raise UnsupportedModel("A layer has attention, but no feed-forward network; expected both.")
