"""Apertus: 8B and 70B.

Beside a llama block (see `rushlight.models.llama`):

- Each query head and each key head goes through an RMS norm of its own width before RoPE, which turns halves
  (NeoX) with Llama 3's factors.
- The feed-forward network is ``down(xielu(up(x)))``, without a gate. xIELU has four numbers in every layer
  (keys ``xielu.*``, without the architecture's name in front). Those of the parabola and of the exponential
  are ``softplus(alpha_p)`` and ``beta + softplus(alpha_n)``.

Source: Project Apertus 2025, "Apertus: Democratizing Open and Compliant LLMs"; Huang and Schlag 2024,
"Deriving Activation Functions Using Integration"; ``apertus.cpp`` in llama.cpp's ``src/models``;
``modeling_apertus.py`` in transformers.
"""

from __future__ import annotations

from decimal import Context, Decimal

from rushlight.backends.base import Backend, Ops, Tensor
from rushlight.gguf.accounting import Accounting
from rushlight.models.config import Config, read_config
from rushlight.models.decoder import Decoder
from rushlight.models.layers import RmsNorm
from rushlight.models.weights import Weights

_DECIMAL = Context(prec=40)


class Block:
    """The weights of one layer, and the numbers of its xIELU as `Ops.xielu` takes them."""

    def __init__(
        self, weights: Weights, config: Config, name: str, xielu: tuple[float, float, float, float]
    ) -> None:
        n_embd, n_ff, eps = config.n_embd, config.n_ff, config.norm_eps
        self.attn_norm = RmsNorm(weights, f"{name}.attn_norm", n_embd, eps)
        self.attn_qkv = weights.qkv(name, config)
        self.attn_q_norm = RmsNorm(weights, f"{name}.attn_q_norm", config.n_embd_head_k, eps)
        self.attn_k_norm = RmsNorm(weights, f"{name}.attn_k_norm", config.n_embd_head_k, eps)
        self.attn_output = weights.linear(f"{name}.attn_output", n_embd, config.n_head * config.n_embd_head_v)
        self.ffn_norm = RmsNorm(weights, f"{name}.ffn_norm", n_embd, eps)
        self.ffn_up = weights.linear(f"{name}.ffn_up", n_ff, n_embd)
        self.ffn_down = weights.linear(f"{name}.ffn_down", n_embd, n_ff)
        self.xielu = xielu


class Model(Decoder):
    """A model of the apertus architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config, weights = read_config(accounts, "apertus"), Weights(accounts, backend)
        super().__init__(config, weights, n_ctx, [0] * config.n_layer)
        self.rope = self.rope_table(interleaved=False, factors=weights.rope_factors(config))
        self.blocks = [
            Block(weights, config, f"blk.{i}", xielu)
            for i, xielu in enumerate(_read_xielu(accounts.under("xielu"), config.n_layer))
        ]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def forward(self, ops: Ops) -> Tensor:
        """The logits [R, V] of one step."""
        x = ops.embed(self.token_embd)
        for i, block in enumerate(self.blocks):
            q, k, v = block.attn_qkv(ops, block.attn_norm(ops, x))
            qkv = block.attn_q_norm(ops, q), block.attn_k_norm(ops, k), v
            attended = self.attend(ops, qkv, i, self.rope)
            if block is self.blocks[-1]:
                x, attended = ops.outputs(x), ops.outputs(attended)
            x = ops.add(x, block.attn_output(ops, attended))
            up = block.ffn_up(ops, block.ffn_norm(ops, x))
            x = ops.add(x, block.ffn_down(ops, ops.xielu(up, *block.xielu)))
        return self.output(ops, self.output_norm(ops, x))


def _read_xielu(accounts: Accounting, n_layer: int) -> list[tuple[float, float, float, float]]:
    """The numbers of each layer: of the parabola, of the exponential, beta and eps."""
    alpha_p, alpha_n, beta, eps = (
        accounts.get_float_or_array(key, n_layer) for key in ("alpha_p", "alpha_n", "beta", "eps")
    )
    accounts.finish()
    return [
        (_softplus(p), b + _softplus(n), b, e) for p, n, b, e in zip(alpha_p, alpha_n, beta, eps, strict=True)
    ]


def _softplus(x: float) -> float:
    """``ln(1 + e^x)``, with the same bits on every machine."""
    return float(_DECIMAL.ln(_DECIMAL.add(1, _DECIMAL.exp(Decimal(x))))) if x < 20 else x
