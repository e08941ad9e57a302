"""The constraint of one answer, of all that a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.text import Tokenizer
from rushlight.text.answer_format import AnswerFormat

if TYPE_CHECKING:
    from rushlight.constrain import Constraint, Matcher
    from rushlight.tool_choice import ToolChoice


class AnswerConstraints:
    """Makes the matchers of a model's answers. Safe to use from several threads.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        from rushlight.constrain import ConstraintCompiler

        self._compiler = ConstraintCompiler(tokenizer)
        self._tokens = {tokenizer.vocabulary.texts[id]: id for id in tokenizer.special_ids}

    def matcher(
        self,
        wanted: Constraint | None,
        choice: ToolChoice | None = None,
        form: AnswerFormat | None = None,
        prompt: str = "",
    ) -> Matcher | None:
        """A matcher at the beginning of an answer, None where the model may write what it likes.

        Args:
            wanted: what an answer that calls nothing has to match.
            choice: the tools; None: there are none.
            form: how the model writes its answers to conversations.
            prompt: the conversation as text.

        Raises:
            InvalidParameter: what is asked for cannot be held, or not with this model.
        """
        from rushlight.constrain.answer_grammar import answer_grammar

        required = choice is not None and choice.required
        if wanted is None and not required:
            return None
        form = form or AnswerFormat()
        calls = None if choice is None else choice.calls()
        what = "The constraint" if wanted is None else f"The {wanted.kind}"
        grammar = answer_grammar(form, prompt, None if required else wanted, calls, self._tokens)
        return self._compiler.matcher(grammar, "The calls of tools" if required else what)
