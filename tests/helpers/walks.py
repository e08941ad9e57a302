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
    text, written = "", b""
    for n in range(_MOST):
        ids = matcher.allowed()
        wanted = _wanted(written, (*ends, '"', "]", "}")) if n > _HURRY and rng.random() < 0.95 else set()
        hurried = [id for id in ids if n > _HURRY and id in tokenizer.eog_ids]
        hurried = hurried or [id for id in ids if tokenizer.token_bytes(id) in wanted]
        chosen = int(rng.choice(hurried or ids))
        if chosen in tokenizer.eog_ids:
            return text + stream.flush()
        matcher.advance(chosen)
        text, written = text + stream.feed(chosen), written + tokenizer.token_bytes(chosen)
        if matcher.is_complete:
            return text + stream.flush()
    raise AssertionError(f"no end: {text[:200]!r}")


def _wanted(written: bytes, ends: tuple[str, ...]) -> set[bytes]:
    """The tokens that bring an end nearer: those that go on with one, or any that begins one."""
    whole = [end.encode() for end in ends]
    n_begun = {
        end: next((n for n in range(len(end) - 1, 0, -1) if written.endswith(end[:n])), 0) for end in whole
    }
    longest = max(n_begun.values())
    begun = [end for end, n in n_begun.items() if n == longest]
    return {end[longest:stop] for end in begun for stop in range(longest + 1, len(end) + 1)}
