"""The marks between which a model thinks before it answers."""

from __future__ import annotations

from typing import NamedTuple


class ReasoningTags(NamedTuple):
    """The marks of one family of models.

    Attributes:
        open: where the thinking begins.
        close: where it ends.
        models: whose they are.
        tokens: the special tokens that the marks are written with.
    """

    open: str
    close: str
    models: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The texts of the tokens that the marks are written with."""
        return (self.open, self.close, self.open.removesuffix("thought"))


REASONING_TAGS: tuple[ReasoningTags, ...] = (
    ReasoningTags(
        "<think>",
        "</think>",
        "Qwen 3 and 3.5, QwQ, DeepSeek R1 and V3.1, SmolLM3, GLM 4.5, Kimi K2, MiniMax M2, Nemotron, LFM2.5",
    ),
    ReasoningTags("<seed:think>", "</seed:think>", "Seed-OSS"),
    ReasoningTags("[THINK]", "[/THINK]", "Magistral, Ministral 3"),
    ReasoningTags("<|channel>thought", "<channel|>", "Gemma 4"),
    ReasoningTags("<|START_THINKING|>", "<|END_THINKING|>", "Command A, Command R7B"),
    ReasoningTags("<thinking>", "</thinking>", "Apriel 1.5"),
    ReasoningTags("<|inner_prefix|>", "<|inner_suffix|>", "Apertus"),
)


def reasoning_tags_of(template: str) -> ReasoningTags | None:
    """The marks that a chat template knows, None if it knows none.

    Args:
        template: the source of the template.
    """
    return next((tags for tags in REASONING_TAGS if tags.close in template), None)
