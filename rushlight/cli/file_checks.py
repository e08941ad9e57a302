"""What looks wrong in a model file: what running it would stumble over, and what makes it worse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rushlight.conversation import ConversationFormat
from rushlight.errors import RushlightError, TemplateError
from rushlight.gguf import GGUFFile
from rushlight.prompts import Message
from rushlight.text import Tokenizer, load_tokenizer
from rushlight.text.special_names import ID_KEYS

WARNING, ERROR = "warning", "error"


class Finding(NamedTuple):
    """Something that looks wrong.

    Attributes:
        level: `ERROR` if ``rushlight run`` would fail, otherwise `WARNING`.
        message: what, in a sentence.
    """

    level: str
    message: str


# Kinds of tokenizer that change a text on purpose: case, accents, spaces or characters that they do not know.
_LOSSY = {"bert", "t5", "whitespace", "hybriddna"}

_HARD_STRINGS = (
    "Hello, world! It's 3.14159 or 1234567890.",
    "two  spaces,   three\tand a tab\n\nand lines \r\n ending in spaces  ",
    "naïve e\u0301 é мир مرحبا नमस्ते 你好 こんにちは",
    "🏒 👨\u200d👩\u200d👧 🇫🇮 \u0000\u007f\ufffd",
    "def f(x):\n    return x**2  # <b>&amp;</b> \\n",
)
_MARKED = re.compile(r"<\|[A-Za-z0-9_/]{1,40}\|>")
_QUESTION = "What is the capital of Finland?"
_ONE_TURN: list[Message] = [{"role": "user", "content": _QUESTION}]
_TWO_TURNS: list[Message] = [
    *_ONE_TURN,
    {"role": "assistant", "content": "Helsinki."},
    {"role": "user", "content": "And of Sweden?"},
]


def check_text(file: GGUFFile, writes: bool = True) -> Iterator[Finding]:
    """Check tokenizer and special tokens, and the chat template of a model that writes, without weights."""
    try:
        tokenizer = load_tokenizer(file)
    except RushlightError as error:
        yield Finding(ERROR, str(error))
        return
    yield from _special_tokens(file, tokenizer)
    if writes and not tokenizer.eog_ids:
        yield Finding(WARNING, "No token ends an answer; every answer runs to its limit.")
    if file.metadata["tokenizer.ggml.model"] not in _LOSSY:
        yield from _round_trips(tokenizer)
    if writes:
        yield from _chat_template(tokenizer)


def _special_tokens(file: GGUFFile, tokenizer: Tokenizer) -> Iterator[Finding]:
    for keys in ID_KEYS.values():
        for key in keys:
            # -1, also as an unsigned number, is how converters write that there is no such token.
            id = file.metadata.get(key, -1)
            if id not in (-1, 0xFFFFFFFF) and not 0 <= id < tokenizer.n_vocab:
                yield Finding(
                    WARNING,
                    f"{key} is {id}, but the vocabulary has {tokenizer.n_vocab} tokens; it is ignored.",
                )


def _round_trips(tokenizer: Tokenizer) -> Iterator[Finding]:
    for text in _HARD_STRINGS:
        ids = tokenizer.encode(text, add_special=False, parse_special=False)
        if (back := tokenizer.decode(ids)) != text:
            yield Finding(WARNING, f"The tokenizer does not give {text!r} back as it was, but as {back!r}.")
            return


def _chat_template(tokenizer: Tokenizer) -> Iterator[Finding]:
    conversation = ConversationFormat(tokenizer)
    try:
        prompt = conversation.render(_ONE_TURN, None, True, None)
    except TemplateError as error:
        yield Finding(ERROR, f"{error} Only 'rushlight run --raw' works.")
        return
    if conversation.template.is_fallback:
        yield Finding(
            WARNING, "The file has no chat template; ChatML stands in, which the model may not know."
        )
        return
    if _QUESTION not in prompt:
        yield Finding(WARNING, "The chat template leaves out what the user says.")
    missing = [
        text
        for text in dict.fromkeys(_MARKED.findall(prompt))
        if len(tokenizer.encode(text, add_special=False, parse_special=True)) != 1
    ]
    if missing:
        yield Finding(
            WARNING, f"The chat template writes {', '.join(missing)}, which are no tokens of the vocabulary."
        )
    try:
        conversation.render(_TWO_TURNS, None, True, None)
    except TemplateError as error:
        yield Finding(WARNING, f"A conversation of several turns does not work: {error}")
