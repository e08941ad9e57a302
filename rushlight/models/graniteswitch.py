"""Granite Switch: Granite 4.1 with adapters in the file, each of which a token of its own switches on.

The dense Granite (see `rushlight.models.granite`), its four multipliers too, with ``adapters.count`` low-rank
adapters:

- A token of ``adapters.token_ids_activate`` stands for its adapter; its embedding is that of the token at the
  same place of ``adapters.token_ids_substitute``.
- A head of attention of its own finds the adapter of each token. The query is 1, the key is
  ``adapters.router_gain`` for a token that stands for an adapter and that number negated for others, the
  value is the adapter's number, counted from 1, and 0 for others. What is read, rounded, is the token's slot;
  without any such token before it, 0.
- Every matrix of a layer gets ``lora_b[slot] @ (lora_a[slot] @ x)`` on top, ``adapters.lora_rank`` columns
  being between the two; those of slot 0 are usually zero.

A table of embeddings in which rows are replaced is kept in memory, where others stay in the file.

Source: IBM 2026, Granite Switch; ``granite-switch.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rushlight.backends.base import Backend, Ops, Tensor, Weight
from rushlight.backends.routing import Routes, Routing
from rushlight.errors import InvalidFile
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.granite import read_multipliers
from rushlight.models.layers import RmsNorm
from rushlight.models.linear import Linear
from rushlight.models.weights import Weights

_MAX_ADAPTERS = 4096


class Adapters(NamedTuple):
    """``adapters.*``.

    Attributes:
        rank: columns between an adapter's two matrices.
        activate: the token of each adapter.
        substitute: whose embedding it has.
        gain: of the router's keys.
    """

    rank: int
    activate: tuple[int, ...]
    substitute: tuple[int, ...]
    gain: float

    @property
    def n_slot(self) -> int:
        """Slots: one for each adapter, and that of none."""
        return len(self.activate) + 1


class AdaptedLinear:
    """A linear layer and, for each slot, what its adapter adds.

    Args:
        weights: of the file.
        base: the layer.
        names: of tensors side by side in the layer's rows, with the number of rows of each.
        adapters: those of the file.
        k: columns of the input.
    """

    def __init__(
        self, weights: Weights, base: Linear, names: dict[str, int], adapters: Adapters, k: int
    ) -> None:
        n_slot, rank = adapters.n_slot, adapters.rank
        self._base = base
        self._adapters = [
            (
                weights.experts_of(f"{name}.lora_a", n_slot, rank, k),
                weights.experts_of(f"{name}.lora_b", n_slot, n, rank),
            )
            for name, n in names.items()
        ]
        self._stops = np.cumsum(list(names.values())).tolist()

    def __call__(self, ops: Ops, x: Tensor, routes: Routes) -> list[Tensor]:
        """The products of each of the tensors."""
        together, starts = self._base(ops, x), (0, *self._stops)
        return [
            ops.add(together.columns(start, stop), ops.experts(ops.experts(x, a, routes), b, routes))
            for (a, b), start, stop in zip(self._adapters, starts, self._stops, strict=False)
        ]


class Block:
    """The weights of one layer."""

    def __init__(self, weights: Weights, config: Config, adapters: Adapters, name: str) -> None:
        n_embd, n_ff, eps = config.n_embd, config.n_ff, config.norm_eps
        n_q, n_kv = config.n_head * config.n_embd_head_k, config.n_head_kv * config.n_embd_head_k

        def adapted(base: Linear, rows: dict[str, int], k: int) -> AdaptedLinear:
            return AdaptedLinear(weights, base, {f"{name}.{of}": n for of, n in rows.items()}, adapters, k)

        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        (qkv,) = weights.qkv(name, config).linears
        self.attn_qkv = adapted(qkv, {"attn_q": n_q, "attn_k": n_kv, "attn_v": n_kv}, n_embd)
        output = weights.linear(f"{name}.attn_output", n_embd, n_q)
        self.attn_output = adapted(output, {"attn_output": n_embd}, n_q)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        (gate_up,) = weights.joined((f"{name}.ffn_gate", f"{name}.ffn_up"), (n_ff, n_ff), n_embd).linears
        self.ffn_gate_up = adapted(gate_up, {"ffn_gate": n_ff, "ffn_up": n_ff}, n_embd)
        down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)
        self.ffn_down = adapted(down, {"ffn_down": n_embd}, n_ff)


class Router:
    """Finds the slot of each token.

    Args:
        weights: of the file.
        adapters: those of the file.
        n_vocab: tokens of the vocabulary.
        layer: of the cache.
    """

    def __init__(self, weights: Weights, adapters: Adapters, n_vocab: int, layer: int) -> None:
        signals = np.empty((n_vocab, 3), np.float32)  # query, key and value of each token
        signals[:] = 1, -adapters.gain, 0
        for slot, token in enumerate(adapters.activate, 1):
            signals[token, 1:] = adapters.gain, slot
        self._signals, self._layer = weights.made_table(signals), layer
        # The nearest slot to x has the highest 2 x slot - slot^2.
        slots = np.arange(adapters.n_slot, dtype=np.float32)
        self._nearest = Linear(
            weights.made_matrix(2 * slots[:, None]), weights.numbers((-(slots**2)).tolist())
        )
        self._routing = Routing(n_used=1)

    def scores(self, ops: Ops) -> Tensor:
        """How near each slot is: [T, slots]."""
        signals = ops.embed(self._signals)
        q, k, v = (signals.columns(i, i + 1) for i in range(3))
        return self._nearest(ops, ops.attention(q, k, v, self._layer, 1.0))

    def routes(self, ops: Ops, scores: Tensor) -> Routes:
        """The nearest slot of each row."""
        return ops.route(scores, self._routing)


class Model(Decoder):
    """A model of the graniteswitch architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        has_rope = accounts.get_bool("rope.scaling.finetuned", True)
        self.multipliers = read_multipliers(accounts)
        config, weights = read_config(accounts, "graniteswitch"), Weights(accounts, backend)
        accounts.ignore("expert_shared_feed_forward_length", "no layer is a mixture")
        adapters, n_layer = _read_adapters(accounts), config.n_layer
        of_router = config._replace(n_head=1, n_head_kv=1, n_embd_head_k=1, n_embd_head_v=1)
        super().__init__(config, weights, n_ctx, [0] * (n_layer + 1), [config] * n_layer + [of_router])
        _check(adapters, self.n_vocab)
        replaced = dict(zip(adapters.activate, adapters.substitute, strict=True))
        self.token_embd: Weight = weights.replaced_embedding(config.n_embd, replaced)
        self.rope = self.rope_table(True, weights.rope_factors(config)) if has_rope else None
        self.router = Router(weights, adapters, self.n_vocab, n_layer)
        self.blocks = [Block(weights, config, adapters, f"blk.{i}") for i in range(n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        by, scores = self.multipliers, self.router.scores(ops)
        x, routes = ops.embed(self.token_embd, by.embedding), self.router.routes(ops, scores)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x), routes)
            attended = self.attend(ops, (q, k, v), i, self.rope, by.attention)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
                routes = self.router.routes(ops, ops.outputs(scores))
            (mixed,) = block.attn_output(ops, attended, routes)
            x = ops.add(x, ops.scale(mixed, by.residual))
            gate, up = block.ffn_gate_up(ops, block.ffn_norm(ops, x), routes)
            (made,) = block.ffn_down(ops, ops.silu_mul(gate, up), routes)
            x = ops.add(x, ops.scale(made, by.residual))
        return ops.scale(self.output(ops, self.output_norm(ops, x)), by.logits)


def _read_adapters(accounts: Accounting) -> Adapters:
    n = accounts.get_int("adapters.count", min=1, max=_MAX_ADAPTERS)
    activate, substitute = (
        accounts.get_int_or_array(f"adapters.token_ids_{of}", n, min=0) for of in ("activate", "substitute")
    )
    return Adapters(
        rank=accounts.get_int("adapters.lora_rank", min=1, max=_MAX_ADAPTERS),
        activate=activate,
        substitute=substitute,
        gain=accounts.get_float("adapters.router_gain", 15.0),
    )


def _check(adapters: Adapters, n_vocab: int) -> None:
    last = max(*adapters.activate, *adapters.substitute)
    if last >= n_vocab:
        raise InvalidFile(f"An adapter has the token {last}, but the vocabulary {n_vocab} tokens.")
