"""Record llama.cpp's tokenization under every pre-tokenizer name: tests/goldens/pre_tokens.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py), on GPT-2's
vocabulary (vendor/llama.cpp/models/ggml-vocab-gpt-2.gguf in the llama-cpp-python sdist):

    PYTHONPATH=. oracle/bin/python tests/goldens/make_pre_tokens.py ggml-vocab-gpt-2.gguf

That vocabulary is written once for each name, with ``tokenizer.ggml.pre`` set to it, and tokenizes strings
that tell the names apart. The name "whitespace" is left out: it belongs to a kind of its own (see
make_small_tokens.py), and llama.cpp aborts with this one. The golden holds

    metadata   versions
    strings    what was tokenized, special tokens neither added nor parsed
    ids        name -> a list of ids for each string; a name stands for the lists of an equal, earlier one
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

from oracle import Oracle, provenance

from rushlight.gguf import open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.text.pre_tokenizers import PRE_TOKENIZERS

TARGET = Path(__file__).parent / "pre_tokens.json"
STRINGS = [
    "I'm you're HE'LL they'VE don'T it'S we'd 'ſ 'K ''s 5'11",
    "1 12 123 1234 12345 1234567890 1,000,000 3.14159 0x1F 1e-7",
    "٣٤٥٦ ²³¹ ½ Ⅷ 1²34 123² ²123 1234² १२३४५ ㊀① abc1234 56 7 x1y22z333",
    "  two   three    four\tand\t\ttabs  \t\n\n  x \n",
    "\n\n\n \r\n\r\n windows\r\n  \r\n",
    "end with spaces   ",
    " \u00a0nbsp\u3000ideo\u2003em\u2028ls\u0085nel \u3000\u3000 x",
    "\u3000。、！？ ‘x’ “y” —…：；，",
    'def f(x):\n    return x+1\n\n\n# c\n\tif a==b && c||d: print("%d\\n" % x)\n',
    "foo_bar fooBar FooBAR FOO_BAR XMLHttpRequest hELLO wORLD'S HELLO",
    "ÀÉÎÕÜ àéîõü ÑANDÚ ǅ ǈ ʰ ªº µ ß ﬁ Ωμ",
    "日本語のテキスト。 中文字符，测试！ 한국어 텍스트 ㄅㄆ ㄱㄴ ｱｲｳ ワールド々",
    "豈豉金 \U00020000\U0002a6df 漢字's 漢字kanji kanji漢字",
    "Привет, мир! مرحبا ، ؟ ۔ שלום हिन्दी में क्षत्रिय ไทย Việt",
    "ក្រុម မြန်မာ අයේ e\u0301 a\u0308\u0301 \u0300x",
    "👩‍👩‍👧‍👦👍🏽 🇫🇷 ☺️ \u200b\u200d\ufeff",
    "!!!???...,,,;;;::: @#$%^&*()_+-=[]{}|;':\",./<>?`~ $+<=>^~|`",
    "∑∫ ± ÷ €£¥ ⟨⟩ «z» a.b,c!d?e…f。g (foo|bar) ।",
    "IMGIMGABCZ <sentinel:12> [UNK] ▁x Ġ",
    "https://example.com/a/b?c=d&e=f#g C:\\Users\\x",
    "a\u00a0b\u3000c x     1     \n     y",
    "AaAaAA aÀAÀ àa1A2 ÀB'll Éc'VE",
    "\x00\x01\x1b[31m\x7f \U000e0001\ue000",
]
POOLS = (
    "abcXYZ '\n\t 019.,!?",
    "aé漢字かな한 \u3000\u00a01２٣.。'sS\n",
    "ſK'sStTreEvV llLL dD",
    "😀👍\u200d🏽e\u0301 a\r\n",
    "ⅫⅨ¹²½ 12a,Б日ж \u2028\u0085",
    "$+<=>^~|`[]{}()-_a1 \n/",
    "  \t\n\r\v\f \u2003x1.",
    "АБвгД ÀàÉéß ǅªº ʰ aA'S're",
)
N_RANDOM = 64


def strings() -> list[str]:
    """The strings above, and random ones that mix what patterns tell apart."""
    rng = random.Random(2)
    pools = [POOLS[i % len(POOLS)] for i in range(N_RANDOM)]
    return STRINGS + ["".join(rng.choices(pool, k=rng.randint(5, 40))) for pool in pools]


def main() -> None:
    """Write the golden from the vocabulary file named on the command line."""
    texts = strings()
    ids: dict[str, object] = {}
    lists: dict[str, list[list[int]]] = {}
    with open_gguf(sys.argv[1]) as source, tempfile.TemporaryDirectory() as folder:
        for name in (name for name in PRE_TOKENIZERS if name != "whitespace"):
            path = Path(folder) / "vocab.gguf"
            write_gguf(path, {**source.metadata, "tokenizer.ggml.pre": name}, [])
            with Oracle(path, n_ctx=0) as oracle:
                found = [oracle.tokenize(text, False, False) for text in texts]
            equal = next((other for other, theirs in lists.items() if theirs == found), None)
            lists.setdefault(equal or name, found)
            ids[name] = equal or found
    recorded = {"metadata": provenance(), "strings": texts, "ids": ids}
    TARGET.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", "utf-8")
    print(f"{TARGET.stat().st_size:,} bytes, {len(lists)} different of {len(ids)} names")


if __name__ == "__main__":
    main()
