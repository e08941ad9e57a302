"""GPT-2's alphabet: 256 printable characters, one for each byte.

Source: ``bytes_to_unicode`` of GPT-2 (https://github.com/openai/gpt-2): the printable bytes of Latin-1 stand
for themselves, the others are numbered from U+0100 on.
"""

from __future__ import annotations

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = sorted(set(range(256)) - set(_PRINTABLE))

CHARACTER_OF_BYTE: dict[int, str] = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(0x100 + i) for i, byte in enumerate(_OTHERS)
}
BYTE_OF_CHARACTER: dict[str, int] = {character: byte for byte, character in CHARACTER_OF_BYTE.items()}


def to_alphabet(text: str) -> str:
    """The UTF-8 bytes of a text, written in the alphabet."""
    return text.encode("utf-8").decode("latin-1").translate(CHARACTER_OF_BYTE)
