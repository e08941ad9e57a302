"""The marks between which a model thinks before it answers."""

from __future__ import annotations

from typing import NamedTuple


class ReasoningTags(NamedTuple):
    """The marks of one family of models.

    Attributes:
        open: where the thinking begins.
        close: where it ends.
        models: whose they are.
        then: what stands between the thinking and the rest.
        said: what stands before what is said; with it, `close` stands after that too.
        tokens: the special tokens that the marks are written with.
    """

    open: str
    close: str
    models: str
    then: str = ""
    said: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The texts of the tokens that the marks are written with."""
        others = (self.said, self.then.removesuffix("assistant"))
        return (self.open, self.close, self.open.removesuffix("thought"), *filter(None, others))

    @property
    def dropped(self) -> tuple[str, ...]:
        """What belongs to no part, though it stands in what is said."""
        return (self.then, self.said, self.close) if self.said else ()


REASONING_TAGS: tuple[ReasoningTags, ...] = (
    ReasoningTags(
        "<think>",
        "</think>",
        "Qwen 3 and 3.5, QwQ, DeepSeek R1 and V3.1, SmolLM3, GLM 4.5, Kimi K2, MiniMax M2, Nemotron, LFM2.5",
    ),
    ReasoningTags("<mm:think>", "</mm:think>", "MiniMax M3"),
    ReasoningTags("<seed:think>", "</seed:think>", "Seed-OSS"),
    ReasoningTags("[THINK]", "[/THINK]", "Magistral, Ministral 3"),
    ReasoningTags("<|channel>thought", "<channel|>", "Gemma 4"),
    ReasoningTags("<|START_THINKING|>", "<|END_THINKING|>", "Command A, Command R7B"),
    ReasoningTags("<thinking>", "</thinking>", "Apriel 1.5"),
    ReasoningTags("<|inner_prefix|>", "<|inner_suffix|>", "Apertus"),
    ReasoningTags("<|think|>", "<|end|>", "Solar Open", then="<|begin|>assistant", said="<|content|>"),
)


def reasoning_tags_of(template: str) -> ReasoningTags | None:
    """The marks that a chat template knows, None if it knows none.

    Args:
        template: the source of the template.
    """
    return next((tags for tags in REASONING_TAGS if tags.close in template and tags.said in template), None)
