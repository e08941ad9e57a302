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
        behind: what may stand behind what is said.
        special: the special tokens that the marks are written with, where no mark is one.
        template: what a chat template contains that makes `close` of parts.
    """

    open: str
    close: str
    models: str
    then: str = ""
    said: str = ""
    behind: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    template: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The texts of the tokens that the marks are written with."""
        if self.special:
            return self.special
        others = (self.said, self.then.removesuffix("assistant"))
        return (self.open, self.close, self.open.removesuffix("thought"), *filter(None, others))

    @property
    def dropped(self) -> tuple[str, ...]:
        """What belongs to no part, though it stands in what is said."""
        if self.said:
            return tuple(filter(None, (self.then, self.said, self.close, *self.behind)))
        return ()


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
    ReasoningTags("<think:opensource>", "</think:opensource>", "Hy3", template="'</think{}>'.format("),
    ReasoningTags(
        "<|open|>think<|sep|>",
        "<|close|>think<|sep|>",
        "Kimi K3",
        said="<|open|>response<|sep|>",
        behind=("<|close|>response<|sep|>", "<|close|>message<|sep|>"),
        special=("<|open|>", "<|sep|>", "<|close|>"),
        template="open_tag('think')",
    ),
)


def reasoning_tags_of(template: str) -> ReasoningTags | None:
    """The marks that a chat template knows, None if it knows none.

    Args:
        template: the source of the template.
    """

    def knows(tags: ReasoningTags) -> bool:
        return (
            tags.template in template if tags.template else (tags.close in template and tags.said in template)
        )

    return next(filter(knows, REASONING_TAGS), None)
