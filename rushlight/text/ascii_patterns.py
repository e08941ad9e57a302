"""Patterns of pre-tokenizers for Python's ``re``, which means the same by them where a text is ASCII.

Oniguruma, for which they are written, comes with a library that takes milliseconds and megabytes to load, and
cuts a tenth as fast.
"""

from __future__ import annotations

import re

_PARTS = re.compile(r"\\p\{\w+\}|\\x\{\w+\}|\\.|\(\?i|&&|.", re.DOTALL)

# The ASCII characters of each category, as they stand in a class.
_CATEGORIES = {
    r"\p{L}": "A-Za-z",
    r"\p{M}": "",
    r"\p{N}": "0-9",
    r"\p{P}": r"!-#%-*,-/:;?@\[-\]_{}",
    r"\p{S}": r"$+<=>\^`|~",
}
_SAME = {r"\s", r"\S", r"\r", r"\n", r"\t"}  # with re.ASCII


def ascii_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern with the same matches in any ASCII text; None for one that holds more than is known here."""
    written, in_class = "", False
    for part in _PARTS.findall(pattern):
        if part in _CATEGORIES:
            if not in_class and not _CATEGORIES[part]:
                return None
            written += _CATEGORIES[part] if in_class else f"[{_CATEGORIES[part]}]"
        elif len(part) == 1:
            class_in_class = in_class and part == "["
            end_of_line = not in_class and part in "^$"
            possessive = not in_class and part == "+" and written.endswith(("+", "*", "?", "}"))
            if class_in_class or end_of_line or possessive:
                return None
            in_class = part == "[" or (in_class and part != "]")
            written += part
        elif part in _SAME or (part[0] == "\\" and len(part) == 2 and not part[1].isalnum()):
            written += part
        else:
            return None
    return re.compile(written, re.ASCII)
