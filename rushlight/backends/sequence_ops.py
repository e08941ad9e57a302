"""Ops that see a token's sequence: its positions, keys and values of its tokens, and states."""

from __future__ import annotations

from typing import Protocol

from rushlight.backends.tensors import Positions, RopeTable, Tensor, Weight


class AttentionOps(Protocol):
    """What needs the tokens' positions, or rows of other tokens of the sequence."""

    def rope(self, x: Tensor, table: RopeTable, n_head: int) -> Tensor:
        """Rotate the first `n_rot` columns of each of `n_head` heads by the angle of the token's position.

        A pair (a, b) becomes (a cos - b sin, a sin + b cos). x is [T, n_head * D].
        """
        ...

    def attention(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        layer: int,
        scale: float,
        softcap: float = 0.0,
        sinks: Weight | None = None,
        slopes: Weight | None = None,
        chosen: Positions | None = None,
    ) -> Tensor:
        """Keep k and v in the cache of `layer`, then attend: [T, H * D] gives [T, H * Dv].

        Scores are ``q . k * scale``, then ``softcap * tanh(score / softcap)`` if `softcap` is not 0; softmax
        over the positions of the token's own sequence up to its own, the last ``window`` of them where the
        layer's cache has one, or those since the last multiple of it where that is ``chunked``, and up to
        ``ahead`` positions behind its own, as far as the step has them. Query head h reads key-value head
        ``h // (H / KH)``. Keys and values are rounded to the cache's dtype before they are used, in prefill
        as in decode.

        `sinks` [H] holds one more score for each head, which takes its share of the softmax and has no value.
        `slopes` [H] are those of ALiBi (Press et al. 2021): a score loses its head's slope times the distance
        between the two positions. With `chosen` a token sees none but the positions that it has chosen.
        """
        ...

    def top_positions(self, q: Tensor, weights: Tensor, k: Tensor, layer: int, n_top: int) -> Positions:
        """Keep k in the cache of `layer`, which has no values, then choose positions for each token.

        q is [T, H * D], `weights` [T, H] and k [T, D], one key for all heads. The score of a position p of
        the token's own sequence, up to its own, is ``sum over h of weights[h] * max(q_h . k_p, 0)``, h
        ascending. The `n_top` positions with the highest scores are chosen, of equal ones the earlier; a
        score that is NaN counts as the lowest. Keys are rounded to the cache's dtype before they are used.

        Source: DeepSeek-AI 2025, "DeepSeek-V3.2", section 2.1 (the lightning indexer); as llama.cpp has it
        (``ggml_lightning_indexer``), where ties are decided by no rule.
        """
        ...

    def top_blocks(self, q: Tensor, k: Tensor, layer: int, n_top: int, size: int, n_local: int) -> Positions:
        """Keep k in the cache of `layer`, which has no values, then choose blocks for each key-value head.

        q is [T, KH * D], k [T, D], one key for all heads. Block b of a sequence is its positions ``b * size``
        to ``b * size + size - 1``. Its score for a head is the highest ``q_h . k_p`` of those up to the
        token's own. The token's own block and the ``n_local - 1`` before it are chosen, then those with the
        highest scores, `n_top` in all, of equal ones the earlier; NaN counts as the lowest. Keys are rounded
        to the cache's dtype before they are used.

        Source: MiniMax 2026, "MiniMax-M3" (block-sparse attention); ``minimax-m3.cpp`` in llama.cpp's
        ``src/models``.
        """
        ...

    def outputs(self, x: Tensor) -> Tensor:
        """The rows of the tokens whose logits are wanted: [T, columns] gives [R, columns]."""
        ...

    def sequence_first(self, x: Tensor) -> Tensor:
        """For each output token the row of its sequence's first token in the step: [T, C] gives [R, C]."""
        ...

    def sequence_mean(self, x: Tensor) -> Tensor:
        """For each output token the mean of its sequence's rows in the step: [T, C] gives [R, C]."""
        ...


class RecurrentOps(Protocol):
    """What reads and writes the states that `RecurrentCache` keeps."""

    def short_conv(self, x: Tensor, weight: Weight, layer: int, bias: Weight | None = None) -> Tensor:
        """Causal convolution of each column along its sequence: [T, C] gives [T, C].

        ``y[t, c] = bias[c] + sum over k of weight[k, c] * x[t - (K - 1) + k, c]``, k ascending from 0.
        `weight` is a vector of K * C numbers, tap after tap; `bias` is [C]. The K - 1 rows in front of a
        sequence's first token are zero; in front of the step's first token they are those that the cache of
        `layer` has kept, unless that token is at position 0. The sequence's last K - 1 rows of x are kept in
        their place.
        """
        ...

    def gated_delta_net(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        dt: Tensor,
        a: Weight,
        beta: Tensor,
        layer: int,
        grouped: bool = False,
    ) -> Tensor:
        """The gated delta rule along each sequence: queries, keys and values give [T, H * Dv].

        q and k are [T, KH * D], v is [T, H * Dv], dt and beta are [T, H], `a` is [H]. Head h reads key head
        ``h % KH``, or ``h // (H / KH)`` where `grouped`, and has a state S [D, Dv], which the cache of
        `layer` keeps; it is zero in front of position 0. Each token, one after the other, does this in
        float32::

            S = exp(a * dt) * S
            S = S + outer(k, beta * (v - k @ S))
            y = q @ S

        Source: Yang et al. 2024, "Gated Delta Networks"; as llama.cpp has it (``ggml_gated_delta_net``).
        """
        ...

    def kda(self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor, layer: int) -> Tensor:
        """Kimi delta attention along each sequence: [T, H * Dv].

        The gated delta rule (`gated_delta_net`) with a decay for each row of a head's state: q, k and `decay`
        are [T, H * D], v is [T, H * Dv], beta is [T, H]::

            S = decay[:, None] * S
            S = S + outer(k, beta * (v - k @ S))
            y = q @ S

        Source: Kimi Team 2025, "Kimi Linear"; as llama.cpp has it (``ggml_gated_delta_net``).
        """
        ...

    def gated_linear_attention(
        self, q: Tensor, k: Tensor, v: Tensor, decay: Tensor | Weight, layer: int
    ) -> Tensor:
        """Linear attention with decays along each sequence: [T, H * Dv].

        q and k are [T, H * D], v is [T, H * Dv], `decay` is [T, H * D], or a vector [H * D] that holds for
        every token. Each head has a state S [D, Dv], which the cache of `layer` keeps; it is zero in front of
        position 0. Each token, one after the other, does this in float32::

            S = decay[:, None] * S + outer(k, v)
            y = q @ S

        Source: Yang et al. 2023, "Gated Linear Attention Transformers"; as llama.cpp has it
        (``ggml_gated_linear_attn``), whose factor of the result is left to `scale`.
        """
        ...

    def wkv6(self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, bonus: Weight, layer: int) -> Tensor:
        """The linear attention of RWKV-6 along each sequence: [T, H * Dv].

        As `gated_linear_attention`, but a token reads the state before its own, and itself with a bonus of
        its head, `bonus` being [H * D]::

            y = r @ (S + outer(bonus * k, v))
            S = decay[:, None] * S + outer(k, v)

        Source: Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence"; as
        llama.cpp has it (``ggml_rwkv_wkv6``).
        """
        ...

    def wkv7(
        self, r: Tensor, k: Tensor, v: Tensor, decay: Tensor, a: Tensor, b: Tensor, layer: int
    ) -> Tensor:
        """The generalized delta rule of RWKV-7 along each sequence: [T, H * Dv].

        As `gated_linear_attention`; a and b are [T, H * D]: what a reads of a state is added to it along b::

            S = decay[:, None] * S + outer(k, v) + outer(b, a @ S)
            y = r @ S

        Source: Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution"; as llama.cpp has it
        (``ggml_rwkv_wkv7``).
        """
        ...

    def ssm_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        """The scan of Mamba-2 along each sequence: [T, H * D] gives [T, H * D].

        x is [T, H * D], dt is [T, H], `a` is [H], b and c are [T, G * N]. Head h reads group
        ``h // (H / G)`` of b and c and has a state S [N, D], which the cache of `layer` keeps; it is zero in
        front of position 0. Each token, one after the other, does this in float32::

            S = exp(a * dt) * S + outer(b, dt * x)
            y = c @ S

        Source: Dao and Gu 2024, "Transformers are SSMs"; as llama.cpp has it (``ggml_ssm_scan``).
        """
        ...

    def selective_scan(self, x: Tensor, dt: Tensor, a: Weight, b: Tensor, c: Tensor, layer: int) -> Tensor:
        """The scan of Mamba-1 along each sequence: [T, C] gives [T, C].

        As `ssm_scan`, with a step and decays for each column: x and dt are [T, C], `a` is a vector of N * C
        numbers, in the order of the state S [N, C], and b and c are [T, N]::

            S[n, i] = exp(a[n, i] * dt[i]) * S[n, i] + b[n] * dt[i] * x[i]
            y[i] = sum over n of c[n] * S[n, i]

        Source: Gu and Dao 2023, "Mamba", section 3; as llama.cpp has it (``ggml_ssm_scan``).
        """
        ...
