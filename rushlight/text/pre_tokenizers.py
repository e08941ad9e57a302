"""The names that ``tokenizer.ggml.pre`` can have, and how each cuts text into words.

The names and their settings are those of llama.cpp (``llama_vocab::impl::load`` in ``src/llama-vocab.cpp``,
https://github.com/ggml-org/llama.cpp). The patterns of an entry are applied one after the other: each cuts
the pieces that the one before it left, into its matches and what lies between them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from rushlight.errors import UnsupportedTokenizer
from rushlight.gguf.values import shown
from rushlight.text import pre_patterns as p


class DigitGroups(Enum):
    """Cuts that no regular expression makes in linear time: groups of three digits counted from the right."""

    AFTER_TEXT = "numbers of any script; the first group stays with the text before it"
    IN_NUMBER = "ASCII digits inside a piece"


class PreTokenizer(NamedTuple):
    """How text is cut into words before merging.

    Attributes:
        cuts: the patterns (Oniguruma syntax) and digit groupings, in their order.
        byte_level: words are written in GPT-2's alphabet of 256 printable characters, one per byte; otherwise
            words are plain text and bytes without a token are written ``<0xXX>``.
        ignore_merges: a word that is itself a token is not merged from its parts.
        add_bos: whether a text starts with the BOS token when the file does not say.
        always_bos: a text starts with the BOS token whatever the file says.
        default_bos: whether a file without a BOS id has llama.cpp's default one.
        escape_spaces: spaces are written U+2581 before anything else, as SentencePiece does.
        lowercase: words are put in lower case when the file does not say; only the kind ``whitespace`` asks.
        whole_newlines: a run of newlines that is a token is not merged from its parts.
    """

    cuts: tuple[str | DigitGroups, ...]
    byte_level: bool = True
    ignore_merges: bool = False
    add_bos: bool = False
    always_bos: bool = False
    default_bos: bool = True
    escape_spaces: bool = False
    lowercase: bool = True
    whole_newlines: bool = False


_GPT2 = PreTokenizer((p.GPT2,))
_LLAMA3 = PreTokenizer((p.LLAMA3,), ignore_merges=True, add_bos=True)
_LLAMA3_PLAIN = PreTokenizer((p.LLAMA3,))
_STARCODER = PreTokenizer((p.NUMBER, p.GPT2))
_QWEN2 = PreTokenizer((p.QWEN2,))
_DEEPSEEK3 = PreTokenizer((p.NUMBERS_BY_3, p.CJK_AND_KANA, p.DEEPSEEK3))
_BLOOM = PreTokenizer((p.BLOOM,))
_GPT4O = PreTokenizer((p.GPT4O,))
_BAILINGMOE = PreTokenizer((p.BAILINGMOE,))
_TINY_AYA = PreTokenizer((DigitGroups.AFTER_TEXT, p.TINY_AYA))
_GEMMA4 = PreTokenizer(
    (p.NEWLINE_RUNS,), byte_level=False, escape_spaces=True, whole_newlines=True, always_bos=True
)
_DEFAULT = PreTokenizer((p.DEFAULT_PUNCTUATION, p.GPT2, p.NUMBER_RUN, p.DIGITS_OF_3))

PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "default": _DEFAULT,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "llama-bpe": _LLAMA3,
    "falcon3": _LLAMA3,
    "falcon-h1": _LLAMA3,
    "pixtral": _LLAMA3,
    "midm-2.0": _LLAMA3,
    "lfm2": _LLAMA3,
    "jina-v5-nano": _LLAMA3,
    "dbrx": _LLAMA3_PLAIN,
    "smaug-bpe": _LLAMA3_PLAIN,
    "chatglm-bpe": PreTokenizer((p.LLAMA3,), default_bos=False),
    "glm4": PreTokenizer((p.LLAMA3,), default_bos=False, ignore_merges=True),
    "glm5": PreTokenizer((p.LLAMA3,), default_bos=False, ignore_merges=True),
    "jais-2": PreTokenizer((p.JAIS2,)),
    "minicpm5": PreTokenizer((p.NUMBERS_BY_3, p.MINICPM5), ignore_merges=True),
    "deepseek-llm": PreTokenizer(
        (
            p.NEWLINE,
            p.DEEPSEEK_LLM_LETTERS,
            p.DEEPSEEK_LLM_PUNCTUATION,
            p.TRAILING_SPACE,
            p.CJK_AND_HANGUL,
            p.NUMBER_RUN,
        )
    ),
    "deepseek-coder": PreTokenizer(
        (p.NEWLINE, p.DEEPSEEK_CODER_LETTERS, p.DEEPSEEK_CODER_PUNCTUATION, p.CJK_AND_HANGUL, p.NUMBER)
    ),
    "deepseek-v3": _DEEPSEEK3,
    "hunyuan-dense": _DEEPSEEK3,
    "joyai-llm": _DEEPSEEK3,
    "hy_v4": _DEEPSEEK3,
    "spark2_5": PreTokenizer((p.NUMBERS_BY_3, p.CJK_AND_KANA, p.SPARK2_5, p.NUMBER)),
    "youtu": PreTokenizer((p.YOUTU_SCRIPTS, p.YOUTU), ignore_merges=True),
    "falcon": PreTokenizer((p.FALCON_PUNCTUATION, p.GPT2, p.DIGITS_OF_3)),
    "starcoder": _STARCODER,
    "refact": _STARCODER,
    "command-r": _STARCODER,
    "smollm": _STARCODER,
    "codeshell": _STARCODER,
    "exaone": _STARCODER,
    "minerva-7b": _STARCODER,
    "mellum2": _STARCODER,
    "gpt-2": _GPT2,
    "phi-2": _GPT2,
    "mpt": _GPT2,
    "olmo": _GPT2,
    "jais": _GPT2,
    "trillion": _GPT2,
    "granite-docling": _GPT2,
    "exaone4": _GPT2,
    "jina-es": _GPT2,
    "jina-de": _GPT2,
    "jina-v2-es": _GPT2,
    "jina-v2-de": _GPT2,
    "jina-v1-en": _GPT2,
    "jina-v2-code": _GPT2,
    "roberta-bpe": _GPT2,
    "gigachat": _GPT2,
    "a.x-4.0": _GPT2,
    "mellum": _GPT2,
    "modern-bert": _GPT2,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "kormo": _QWEN2,
    "f2llmv2": _QWEN2,
    "megrez": _QWEN2,
    "stablelm2": _QWEN2,
    "hunyuan": _QWEN2,
    "solar-open": _QWEN2,
    "grok-2": _QWEN2,
    "qwen35": PreTokenizer((p.QWEN35,)),
    "ufakzeka": PreTokenizer((p.UFAKZEKA,)),
    "laguna": PreTokenizer((p.NEWLINE_RUNS, p.QWEN2)),
    "poro-chat": _BLOOM,
    "bloom": _BLOOM,
    "gpt3-finnish": _BLOOM,
    "viking": PreTokenizer((p.BLOOM, p.NUMBER)),
    "tekken": PreTokenizer((p.TEKKEN,), ignore_merges=True, add_bos=True),
    "chameleon": PreTokenizer(
        (
            p.CHAMELEON_SENTINEL,
            p.CHAMELEON_IMAGE,
            p.CHAMELEON_SPACES,
            p.NUMBER,
            p.CHAMELEON_PUNCTUATION,
            p.GPT2,
        ),
        add_bos=True,
    ),
    "gpt-4o": _GPT4O,
    "llama4": _GPT4O,
    "kanana2": _GPT4O,
    "talkie": _GPT4O,
    "minimax-m2": _GPT4O,
    "granite-embed-multi-97m": PreTokenizer((p.GRANITE_EMBEDDING,), ignore_merges=True),
    "tiny_aya": _TINY_AYA,
    "cohere2moe": _TINY_AYA,
    "superbpe": PreTokenizer((p.NUMBER_RUN, DigitGroups.IN_NUMBER)),
    "bailingmoe": _BAILINGMOE,
    "bailingmoe2": _BAILINGMOE,
    "llada-moe": _BAILINGMOE,
    "seed-coder": PreTokenizer((p.SEED_CODER,)),
    "kimi-k2": PreTokenizer((p.KIMI_K2,)),
    "afmoe": PreTokenizer((DigitGroups.AFTER_TEXT, p.AFMOE_SCRIPTS, p.DEEPSEEK3)),
    "exaone-moe": PreTokenizer((p.EXAONE_MOE,)),
    "gemma4": _GEMMA4,
    "granite-embed-multi-311m": _GEMMA4,
    "whitespace": PreTokenizer((p.WORD,), byte_level=False, lowercase=False),
    "sarvam-moe": PreTokenizer((p.NEWLINE_RUNS,), byte_level=False, escape_spaces=True),
}


def pre_tokenizer(name: str) -> PreTokenizer:
    """The pre-tokenizer of a ``tokenizer.ggml.pre`` name.

    Raises:
        UnsupportedTokenizer: the name is not in `PRE_TOKENIZERS`.
    """
    try:
        return PRE_TOKENIZERS[name]
    except KeyError:
        known = ", ".join(sorted(PRE_TOKENIZERS))
        raise UnsupportedTokenizer(
            f"Pre-tokenizer {shown(name)} (tokenizer.ggml.pre) is not supported; supported are {known}."
        ) from None
