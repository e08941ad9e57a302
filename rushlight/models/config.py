"""Hyper-parameters of transformers, read from a file's metadata and checked."""

from __future__ import annotations

from typing import NamedTuple

from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf.accounting import Accounting
from rushlight.models.pooling import Pooling, count_labels, read_cls_pooling, read_pooling
from rushlight.models.rope_scaling import RopeScaling, read_rope_scaling

_MAX = 1 << 24  # beyond any real size, small enough that products of two do not overflow anything

_NO_EXPERTS = "mixtures of experts are not implemented for this architecture"


class Config(NamedTuple):
    """Hyper-parameters, named as in llama.cpp.

    Attributes:
        arch: ``general.architecture``.
        n_ctx_train: positions the model was trained for.
        n_embd: columns of the hidden state (E).
        n_layer: transformer blocks.
        n_head, n_head_kv: query heads (H) and key-value heads (KH).
        n_embd_head_k, n_embd_head_v: columns of a key head (D) and of a value head.
        n_ff: columns inside the feed-forward network (F).
        norm_eps: epsilon of the norms.
        n_rot: columns of each head that RoPE turns.
        rope_freq_base: its base.
        rope_scaling: how its context was extended.
        n_swa: width of the sliding window; 0: none.
        pooling: how the hidden states of a text become its embedding, or RANK: its score.
        causal: no token sees what comes after it.
        cls_pooling: how they become what a reranker's head reads.
        n_cls_out: numbers that this head gives.
    """

    arch: str
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_embd_head_k: int
    n_embd_head_v: int
    n_ff: int
    norm_eps: float
    n_rot: int
    rope_freq_base: float
    rope_scaling: RopeScaling
    n_swa: int = 0
    pooling: Pooling = Pooling.NONE
    causal: bool = True
    cls_pooling: Pooling = Pooling.LAST
    n_cls_out: int = 1

    @property
    def writes(self) -> bool:
        """Whether the model gives logits of tokens; otherwise its results are of texts."""
        return self.causal and self.pooling is Pooling.NONE


def read_config(
    accounts: Accounting,
    arch: str,
    *,
    norm_eps: str = "attention.layer_norm_rms_epsilon",
    n_swa: int = 0,
    n_head: int | None = None,
    n_head_kv: int | None = None,
    n_ff: int | None = None,
    clamps: bool = False,
    experts: bool = False,
    dense: bool = True,
    n_layer_nextn: int = 0,
    by_layer: bool = False,
    pools: bool = False,
    ranks: bool = False,
    causal: bool = True,
    cls_pooling: Pooling = Pooling.CLS,
    max_alibi_bias: float = 0.0,
) -> Config:
    """Read what every transformer of this kind has; keys that change nothing here are ignored by name.

    Args:
        accounts: of the file.
        arch: ``general.architecture``.
        norm_eps: key of the norms' epsilon.
        n_swa: the sliding window, already read by an architecture that has one.
        n_head, n_head_kv, n_ff: already read by an architecture whose layers differ in them, or lack them.
        clamps: the architecture has read ``attention.clamp_kqv``.
        experts: the architecture reads the keys of experts itself.
        dense: some feed-forward networks are no mixtures; otherwise a file may have no
            ``feed_forward_length``, and `Config.n_ff` is 0 then.
        n_layer_nextn: layers at the end that predict further tokens; their tensors stay in the file.
        by_layer: key-value heads and feed-forward networks may differ by layer; the configuration has the
            first layer's, and the architecture reads each layer's.
        pools: what goes into the head of this architecture is what embeddings are made of.
        ranks: files of the architecture may have a reranker's head.
        causal: no token sees what comes after it.
        cls_pooling: what a reranker's head reads in a model that is not causal and does not say it.
        max_alibi_bias: that of the architecture.

    Raises:
        InvalidFile: a key that is missing, of another type or out of range, or that contradicts another.
        UnsupportedModel: a feature that is not implemented, such as experts or heads that differ by layer.
    """
    n_layer = accounts.get_int("block_count", min=1 + n_layer_nextn, max=4096)
    n_embd = accounts.get_int("embedding_length", min=1, max=_MAX)
    if n_head is None:
        n_head = same_in_all_layers(accounts, "attention.head_count", n_layer)
    if n_head_kv is None:
        n_head_kv = same_in_all_layers(accounts, "attention.head_count_kv", n_layer, by_layer, n_head)
    if n_head % n_head_kv:
        raise InvalidFile(f"{n_head} query heads cannot share {n_head_kv} key-value heads evenly.")
    if n_embd < n_head:
        raise InvalidFile(f"{n_head} query heads are more than the {n_embd} columns of the hidden state.")
    n_embd_head_k = accounts.get_int("attention.key_length", n_embd // n_head, min=1, max=_MAX)
    n_ctx_train = accounts.get_int("context_length", min=1)
    n_rot = accounts.get_int("rope.dimension_count", n_embd_head_k, min=2, max=n_embd_head_k)
    if n_rot % 2:
        raise InvalidFile(f"Metadata {arch}.rope.dimension_count is {n_rot}; expected an even number.")
    if not clamps:
        accounts.expect("attention.clamp_kqv", 0.0, "clamping of queries, keys and values is not implemented")
    if n_ff is None:
        n_ff = same_in_all_layers(accounts, "feed_forward_length", n_layer, by_layer, None if dense else 0)
    account_for_the_rest(accounts, n_embd, n_layer_nextn, causal, max_alibi_bias)
    for i in range(n_layer - n_layer_nextn, n_layer):
        accounts.ignore_tensor(f"blk.{i}.*", "a layer that predicts a further token")
    pooling = read_pooling(accounts, causal, ranks) if pools else Pooling.NONE
    if not experts:
        accounts.expect("expert_count", 0, _NO_EXPERTS)
        accounts.expect("expert_used_count", 0, _NO_EXPERTS)
    return Config(
        arch=arch,
        n_ctx_train=n_ctx_train,
        n_embd=n_embd,
        n_layer=n_layer - n_layer_nextn,
        n_head=n_head,
        n_head_kv=n_head_kv,
        n_embd_head_k=n_embd_head_k,
        n_embd_head_v=accounts.get_int("attention.value_length", n_embd // n_head, min=1, max=_MAX),
        n_ff=n_ff,
        norm_eps=accounts.get_float(norm_eps, min=0.0),
        n_rot=n_rot,
        rope_freq_base=accounts.get_float("rope.freq_base", 10000.0, min=1.0 + 1e-6),
        rope_scaling=read_rope_scaling(accounts, n_ctx_train),
        n_swa=n_swa,
        pooling=pooling,
        causal=causal,
        cls_pooling=read_cls_pooling(accounts, Pooling.LAST if causal else cls_pooling, ranks),
        n_cls_out=count_labels(accounts) if ranks else 1,
    )


def read_window_layers(
    accounts: Accounting, n_layer: int, period: int, first: bool = False
) -> tuple[bool, ...]:
    """Which layers see only a sliding window, as ``attention.sliding_window_pattern`` says.

    The key holds a bool for each layer, or a period: of so many layers the last one sees everything, and
    with 0 none does.

    Args:
        accounts: of the file.
        n_layer: layers.
        period: that of a file without the key.
        first: not the last but the first layer of a period sees everything.

    Raises:
        InvalidFile: the key is neither.
    """
    pattern = accounts.get_int_or_bools("attention.sliding_window_pattern", n_layer, period, min=0)
    if isinstance(pattern, tuple):
        return pattern
    return tuple(pattern == 0 or i % pattern != (0 if first else pattern - 1) for i in range(n_layer))


def read_window_freq_base(accounts: Accounting, default: float) -> float:
    """``rope.freq_base_swa``, the base of RoPE in windowed layers."""
    return accounts.get_float("rope.freq_base_swa", default, min=1.0 + 1e-6)


def read_heads(accounts: Accounting) -> tuple[int, ...]:
    """``attention.head_count_kv`` of each layer: 0, or the same number in all others.

    Raises:
        InvalidFile: other numbers, or 0 in every layer.
    """
    n_layer = accounts.get_int("block_count", min=1, max=4096)
    heads = accounts.get_int_or_array("attention.head_count_kv", n_layer, min=0, max=1 << 24)
    if len({n for n in heads if n}) != 1:
        raise InvalidFile(
            f"Metadata attention.head_count_kv holds {sorted(set(heads))}; expected one number, and 0 for "
            "layers without attention."
        )
    return heads


def read_heads_by_layer(accounts: Accounting) -> tuple[tuple[int, int], ...]:
    """Query heads and key-value heads of each layer, which may differ from layer to layer.

    Raises:
        InvalidFile: heads that cannot share key-value heads evenly.
    """
    n_layer = accounts.get_int("block_count", min=1, max=4096)
    heads = accounts.get_int_or_array("attention.head_count", n_layer, min=1, max=_MAX)
    heads_kv = accounts.get_int_or_array("attention.head_count_kv", n_layer, heads, min=1, max=_MAX)
    for n_head, n_head_kv in zip(heads, heads_kv, strict=True):
        if n_head % n_head_kv:
            raise InvalidFile(f"{n_head} query heads cannot share {n_head_kv} key-value heads evenly.")
    return tuple(zip(heads, heads_kv, strict=True))


def same_in_all_layers(
    accounts: Accounting, key: str, n_layer: int, by_layer: bool = False, default: int | None = None
) -> int:
    """A size that a file may give once or for each layer: the first one, the only one unless `by_layer`."""
    if default is None:
        sizes = accounts.get_int_or_array(key, n_layer, min=1, max=_MAX)
    else:
        sizes = accounts.get_int_or_array(key, n_layer, (default,), min=1, max=_MAX)
    if len(set(sizes)) > 1 and not by_layer:
        raise UnsupportedModel(f"{key} differs by layer, which is not supported for this architecture.")
    return sizes[0]


def account_for_the_rest(
    accounts: Accounting,
    n_embd: int,
    n_layer_nextn: int = 0,
    causal: bool = True,
    max_alibi_bias: float = 0.0,
) -> None:
    """Keys that real files carry and that either change nothing or name a feature that is not implemented."""
    accounts.expect(
        "nextn_predict_layers", n_layer_nextn, "layers that predict several tokens are not implemented"
    )
    accounts.expect("attention.causal", causal, "this architecture is only implemented the other way")
    accounts.expect("attention.max_alibi_bias", max_alibi_bias, "another ALiBi is not implemented")
    accounts.expect("embedding_length_out", n_embd, "an output of another width is not implemented")
    accounts.ignore("attention.layer_norm*_epsilon", "one of the two is read, the other is of no norm")
    accounts.ignore("vocab_size", "the rows of token_embd.weight say it")
    accounts.ignore("pooling_type", "it concerns embeddings of texts, not logits")
    accounts.ignore("tensor_data_layout", "a note of old converters; the row order it names is the usual one")
