"""BERT and RoBERTa: MiniLM, BGE, E5, GTE, Arctic Embed, BGE-M3, BGE Reranker.

An encoder: every token sees the whole text, and the hidden states are pooled into an embedding
(`rushlight.models.pooling`) or, in a reranker, into a score. Of its own:

- Every position has an embedding (``position_embd``), added to the token's and to that of text type 0
  (``token_types``; the second type, of sentence pairs, is not used). A text cannot be longer than
  ``context_length``. Their sum goes through a layer norm.
- Layer norms with biases come behind attention and behind the feed-forward network
  (``attn_output_norm``, ``layer_output_norm``), each over the sum with what went in.
- The feed-forward network is ``down(gelu(up(x)))`` in the tanh form, as in llama.cpp; transformers takes the
  error function. Every linear layer has a bias.
- A reranker's head is ``cls.output(tanh(cls(x)))`` over the first token; a file may have one of both.

Source: Devlin et al. 2019, "BERT"; Liu et al. 2019, "RoBERTa"; ``bert.cpp`` in llama.cpp's ``src/models``;
``modeling_bert.py`` in transformers.
"""

from __future__ import annotations

from rushlight.backends.base import Backend
from rushlight.errors import InvalidParameter
from rushlight.gguf.accounting import Accounting
from rushlight.models.bert_block import BertBlock, BertBlocks
from rushlight.models.config import read_config
from rushlight.models.layers import GeluFFN
from rushlight.models.weights import Weights


class Model(BertBlocks):
    """A model of the bert architecture."""

    def __init__(self, accounts: Accounting, backend: Backend, n_ctx: int | None) -> None:
        config = read_config(
            accounts,
            "bert",
            norm_eps="attention.layer_norm_epsilon",
            pools=True,
            ranks=True,
            causal=False,
        )
        if n_ctx is not None and n_ctx > config.n_ctx_train:
            raise InvalidParameter(
                f"n_ctx is {n_ctx}; this model has embeddings of {config.n_ctx_train} positions."
            )
        weights = Weights(accounts, backend)

        def block(layer: int) -> BertBlock:
            name = f"blk.{layer}"
            return BertBlock(weights, config, name, GeluFFN(weights, config, name))

        super().__init__(config, weights, n_ctx, block)
        self.position_embd = weights.positions(config.n_ctx_train, config.n_embd)
