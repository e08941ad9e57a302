"""Grammars, compiled for the tokens of one model."""

from __future__ import annotations

import json
import re
import threading
from functools import cached_property
from typing import TYPE_CHECKING, cast

from rushlight.constrain.answer_grammar import Grammar
from rushlight.constrain.matcher import Matcher
from rushlight.errors import InvalidParameter
from rushlight.text import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLTokenizer, TokenizerWrapper

# What one answer may cost the thread that runs all of them: some milliseconds a token, some 100 MB.
MAX_ITEMS_OF_STEP = 10_000
MAX_LEXER_STATES = 50_000
_MAX_REASON = 400
_SHOWN = re.compile(r"\n\s*\d+ \| |<state>")
_PLACE = re.compile(r"at \d+\(\d+\): ")


class _Tokens:
    """A model's tokens as llguidance takes them.

    It would cut text into tokens too, where a grammar leaves but one text; here the model does that.
    """

    is_tokenizer_wrapper = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.eos_token_id = min(tokenizer.eog_ids, default=None)
        self.bos_token_id = tokenizer.bos_id
        self.tokens = [tokenizer.token_bytes(id) for id in range(tokenizer.n_vocab)]
        self.special_token_ids = sorted(tokenizer.special_ids | tokenizer.eog_ids)

    def __call__(self, text: bytes | str) -> list[int]:
        raise NotImplementedError("no text is cut here")


class ConstraintCompiler:
    """Compiles grammars for the tokens of a model. Safe to use from several threads.

    Nothing is imported or built before the first grammar.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()

    def matcher(self, grammar: Grammar, what: str) -> Matcher:
        """A matcher at its beginning.

        Args:
            grammar: of the answer.
            what: what it comes from, for errors.

        Raises:
            InvalidParameter: the grammar cannot be compiled; the message says where and why.
        """
        from llguidance import LLMatcher, LLParserLimits

        with self._lock:
            tokens = self._tokens
        texts = [("answer", grammar.start), *grammar.others.items()]
        parts = [{"name": name, "lark_grammar": lark} for name, lark in texts]
        limits = LLParserLimits(
            step_max_items=MAX_ITEMS_OF_STEP, max_lexer_states=MAX_LEXER_STATES, verbose_errors=False
        )
        matcher = LLMatcher(tokens, json.dumps({"grammars": parts}), log_level=0, limits=limits)
        if matcher.is_error():
            reason = _reason(matcher.get_error())
            # The place is one of the user's own text only where that is the whole grammar.
            raise InvalidParameter(
                f"{what} cannot be used: {reason if grammar.is_given else _PLACE.sub('', reason)}"
            )
        return Matcher(matcher, self._tokenizer.n_vocab, self._tokenizer.eog_ids)

    @cached_property
    def _tokens(self) -> LLTokenizer:
        from llguidance import LLTokenizer

        return LLTokenizer(
            cast("TokenizerWrapper", _Tokens(self._tokenizer)),
            eos_token=sorted(self._tokenizer.eog_ids) or None,
            slices=[],  # they take longer to build than they save
        )


def _reason(error: str) -> str:
    """What llguidance says, in one line, without the lines of the grammar that it shows."""
    said = _SHOWN.split(error, maxsplit=1)[0]
    return re.sub(r"\s+", " ", said).strip()[:_MAX_REASON]
