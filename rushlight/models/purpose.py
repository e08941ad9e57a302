"""What a model is for: it writes text, embeds texts, ranks documents, or gives hidden states alone."""

from __future__ import annotations

from rushlight.errors import UnsupportedModel
from rushlight.models.config import Config
from rushlight.models.pooling import Pooling


def purpose_of(config: Config) -> str:
    """What the model makes, in a few words."""
    if config.writes:
        return "text"
    if config.pooling is Pooling.RANK:
        return "scores of documents for a query, and no text"
    if config.pooling is Pooling.NONE:
        return "hidden states; the file names no pooling_type"
    return f"embeddings, pooled by {config.pooling.name.lower()}, and no text"


def check_writes(config: Config, name: str) -> None:
    """Raise UnsupportedModel unless the model, of the file `name`, writes text."""
    if not config.writes:
        use = "LLM.rerank" if config.pooling is Pooling.RANK else "LLM.embed"
        what = "a reranker" if config.pooling is Pooling.RANK else "a model for embeddings"
        raise UnsupportedModel(f"{name} is {what}, which writes no text; use {use}, or load another model.")


def check_embeds(config: Config, name: str) -> None:
    """Raise UnsupportedModel unless the model embeds."""
    if not config.causal and config.pooling is Pooling.NONE:
        raise UnsupportedModel(
            f"{name} does not say how hidden states become an embedding (pooling_type); "
            "use LLM.hidden_states."
        )
    if config.pooling in (Pooling.NONE, Pooling.RANK):
        raise UnsupportedModel(
            f"{name} is no model for embeddings, or of an architecture whose embeddings are not supported; "
            "load one, such as Qwen3-Embedding."
        )


def check_ranks(config: Config, name: str) -> None:
    """Raise UnsupportedModel unless the model is a reranker."""
    if config.pooling is not Pooling.RANK:
        raise UnsupportedModel(
            f"{name} is no reranker (pooling_type 4), or of an architecture whose rerankers are not "
            "supported; load one, such as Qwen3-Reranker or BGE Reranker."
        )


def check_gives_hidden_states(config: Config, name: str) -> None:
    """Raise UnsupportedModel unless the model gives a hidden state for each token."""
    if (
        config.writes
        or config.pooling is Pooling.RANK
        or not (config.causal or config.pooling is Pooling.NONE)
    ):
        raise UnsupportedModel(f"{name} gives no hidden states of tokens; it makes {purpose_of(config)}.")


def pooling_left(config: Config) -> Pooling:
    """How the rows that the model gives become an embedding: one that reads whole texts has pooled itself."""
    return config.pooling if config.causal else Pooling.LAST
