"""Answers that nobody meant: random tokens among those that a constraint allows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rushlight.constrain import Matcher
from rushlight.text import TextStream, Tokenizer

_HURRY = 40
_MOST = 4000


def random_answer(
    matcher: Matcher, tokenizer: Tokenizer, seed: int, shown: Iterable[str] = (), ends: Iterable[str] = ()
) -> str:
    """The text of a random answer.

    Args:
        matcher: at its beginning.
        tokenizer: whose tokens it allows.
        seed: of the random numbers.
        shown: texts of special tokens that are part of the text.
        ends: texts that are preferred once the answer has become long, beside the closing ones of JSON.
    """
    rng = np.random.default_rng(seed)
    stream = TextStream(tokenizer, strip_prefix=False, shown=shown)
    text = ""
    for n in range(_MOST):
        ids = matcher.allowed()
        wanted = _wanted(text, (*ends, '"', "]", "}")) if n > _HURRY and rng.random() < 0.95 else set()
        hurried = [id for id in ids if n > _HURRY and id in tokenizer.eog_ids]
        hurried = hurried or [id for id in ids if tokenizer.token_bytes(id) in wanted]
        chosen = int(rng.choice(hurried or ids))
        if chosen in tokenizer.eog_ids:
            return text + stream.flush()
        matcher.advance(chosen)
        text += stream.feed(chosen)
        if matcher.is_complete:
            return text + stream.flush()
    raise AssertionError(f"no end: {text[:200]!r}")


def _wanted(text: str, ends: tuple[str, ...]) -> set[bytes]:
    """The tokens that bring an end nearer: those that go on with one, or any that begins one."""
    begun = {end: next((n for n in range(len(end) - 1, 0, -1) if text.endswith(end[:n])), 0) for end in ends}
    longest = max(begun.values(), default=0)
    next_ones = {end[longest].encode() for end, n in begun.items() if n == longest}
    return next_ones if longest else next_ones | {end.encode() for end in ends}
