"""Layers of one part each, a Mamba-2 layer, attention or a feed-forward network: those of Nemotron-H."""

from __future__ import annotations

from collections.abc import Callable

from rushlight.backends.base import Ops, Tensor
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Part
from rushlight.models.config import Config, read_config, read_heads
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.ssm import Mamba2, SsmSizes, read_ssm
from rushlight.models.weights import Weights

RECURRENT, ATTENTION, FFN = "recurrent", "attention", "ffn"


def read_hybrid(
    accounts: Accounting, arch: str, experts: bool = False, n_next: int = 0
) -> tuple[Config, tuple[str, ...]]:
    """Read the hyper-parameters of such a model, and what each layer is.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        experts: as `read_config` takes it.
        n_next: layers at the end that predict a further token; they are left out.

    Raises:
        InvalidFile: a key that is missing or out of range, or that contradicts another.
    """
    heads = read_heads(accounts)
    widths = accounts.get_int_or_array("feed_forward_length", len(heads), min=0, max=1 << 24)
    kinds = tuple(
        FFN if n_ff else ATTENTION if n_head else RECURRENT
        for n_head, n_ff in zip(heads, widths, strict=True)
    )[: len(heads) - n_next]
    found = {n_ff for n_ff in widths if n_ff}
    if len(found) > 1:
        raise InvalidFile(
            f"Metadata {arch}.feed_forward_length holds {sorted(found)}; expected one number, and 0 for "
            "layers that are no feed-forward network."
        )
    key = "attention.layer_norm_rms_epsilon"
    if accounts.get_float(key, None) is None:
        key = "attention.layer_norm_epsilon"
    config = read_config(
        accounts,
        arch,
        norm_eps=key,
        n_head_kv=max(heads),
        n_ff=max(widths),
        experts=experts,
        n_layer_nextn=n_next,
    )
    return config, kinds


class Block:
    """The weights of one layer of a kind."""

    def __init__(
        self,
        weights: Weights,
        config: Config,
        sizes: SsmSizes,
        kind: str,
        name: str,
        ffn: Callable[[str], Part],
    ) -> None:
        n_embd = config.n_embd
        self.norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, config.norm_eps)
        self.ffn, self.mixer, self.attn_qkv = None, None, None
        if kind == FFN:
            self.ffn = ffn(name)
        elif kind == ATTENTION:
            self.attn_qkv = weights.qkv(name, config)
            self.output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        else:
            self.mixer = Mamba2(weights, config, sizes, name)
            self.output = weights.linear(f"{name}.ssm_out", n_embd, sizes.n_inner)


class SingleHybrid(Decoder):
    """A model of such layers.

    Args:
        accounts: of the file.
        config: hyper-parameters.
        weights: of the file.
        n_ctx: positions to load for; None: as many as the model was trained for.
        kinds: what each layer is.
        ffn: makes the feed-forward network of a layer, which it is told by name.

    Raises:
        InvalidFile: a key that is missing or out of range.
    """

    def __init__(
        self,
        accounts: Accounting,
        config: Config,
        weights: Weights,
        n_ctx: int | None,
        kinds: tuple[str, ...],
        ffn: Callable[[str], Part],
    ) -> None:
        sizes = read_ssm(accounts)
        keepers = [kind for kind in kinds if kind != FFN]
        kept = [sizes.cache if kind == RECURRENT else 0 for kind in keepers]
        super().__init__(config, weights, n_ctx, kept)
        self.blocks = [Block(weights, config, sizes, kind, f"blk.{i}", ffn) for i, kind in enumerate(kinds)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        layer = 0  # of the cache, where only layers that keep something have a place
        for block in self.blocks:
            normed, is_last = block.norm(ops, x), block is self.blocks[-1]
            if block.ffn is not None:
                x, normed = (ops.outputs(x), ops.outputs(normed)) if is_last else (x, normed)
                x = ops.add(x, block.ffn(ops, normed))
                continue
            if block.mixer is not None:
                mixed = block.mixer(ops, normed, layer)
            else:
                assert block.attn_qkv is not None
                mixed = self.attend(ops, block.attn_qkv(ops, normed), layer, rope=None)
            layer += 1
            x, mixed = (ops.outputs(x), ops.outputs(mixed)) if is_last else (x, mixed)
            x = ops.add(x, block.output(ops, mixed))
        return self.output(ops, self.output_norm(ops, x))
