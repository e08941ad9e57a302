"""PLaMo 3: 2B to 31B.

A llama block (see `rushlight.models.llama`), with these differences:

- ``attn_qkv`` holds queries, keys and values one below the other; ``ffn_up`` holds gate, then up.
- Norms behind attention and feed-forward network, too: ``post_attention_norm`` and ``post_ffw_norm``,
  without ``.weight``.
- Each query head and each key head goes through an RMS norm of its own width before RoPE, which turns halves
  (NeoX).
- Of every eight layers, seven see only ``attention.sliding_window`` positions and turn with the base
  ``rope.freq_base_swa``, 10,000 without the key; the eighth sees all. ``attention.sliding_window_pattern``
  may say otherwise.

Source: Preferred Networks 2025, "PLaMo 3"; ``plamo3.cpp`` in llama.cpp's ``src/models``.
"""

from __future__ import annotations

from rushlight.backends.base import Backend, Ops, RopeTable, Tensor, Weight
from rushlight.gguf.accounting import Accounting
from rushlight.models.blocks import Block, Blocks, Part, block_of
from rushlight.models.config import read_config, read_window_freq_base, read_window_layers
from rushlight.models.layers import FusedSwiGLU, RmsNorm
from rushlight.models.weights import Weights


class Model(Blocks):
    """A model of the plamo3 architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        n_swa = accounts.get_int("attention.sliding_window", 0, min=0)
        config, weights = read_config(accounts, "plamo3", n_swa=n_swa), Weights(accounts, backend)
        local_base = read_window_freq_base(accounts, 10000.0)
        pattern = read_window_layers(accounts, config.n_layer, period=8)
        self.is_local = [n_swa > 0 and local for local in pattern]
        super().__init__(config, weights, n_ctx, [n_swa if local else 0 for local in self.is_local])
        self.rope = self.rope_table(interleaved=False)
        self.local_rope = self.rope_table(interleaved=False, freq_base=local_base)

        def norm(name: str) -> Part:
            weight: Weight = weights.vector(name, config.n_embd)

            def apply(ops: Ops, x: Tensor) -> Tensor:
                return ops.rms_norm(x, weight, config.norm_eps)

            return apply

        def block(name: str) -> Block:
            ffn, qk_norms = FusedSwiGLU(weights, config, name), (config.n_embd_head_k,) * 2
            plain = block_of(weights, config, name, ffn, qk_norms=qk_norms)
            return plain._replace(
                post_attention_norm=norm(f"{name}.post_attention_norm"),
                post_ffw_norm=norm(f"{name}.post_ffw_norm"),
            )

        self.blocks = [block(f"blk.{i}") for i in range(config.n_layer)]
        self.output_norm = RmsNorm(weights, "output_norm", config.n_embd, config.norm_eps)

    def rope_of(self, layer: int) -> RopeTable | None:
        """The angles of a layer."""
        return self.local_rope if self.is_local[layer] else self.rope
