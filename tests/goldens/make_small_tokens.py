"""Record llama.cpp's tokenization with small_vocabularies.py: tests/goldens/small_tokens.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    PYTHONPATH=. oracle/bin/python tests/goldens/make_small_tokens.py

The golden holds

    metadata      versions
    strings       what was tokenized, with special tokens added and parsed
    vocabularies  name -> ids for each string, and the hex bytes of each token with special tokens shown
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from make_pre_tokens import strings as mixed_strings
from oracle import Oracle, provenance
from small_vocabularies import SMALL_VOCABULARIES

from rushlight.gguf.writer import write_gguf

TARGET = Path(__file__).parent / "small_tokens.json"
STRINGS = [
    "",
    " ",
    "   ",
    "the hello world",
    "  the   hello  world  ",
    "\ufeffthe world",
    "THE Hello WORLD İß ΣΑΣ ÉÉ",
    "aaaaaaa abcd abcabcd",
    "e\u0301 é 한국어 日本語 漢\U0002b820\U0002b920字 👍🏽👍",
    "a.b,c!d?! ($1+2=3) `x` ~ ^ |",
    "x\x00y\x1cz\ufffdq\u200dr\u00adw\u0085v\u00a0u\u2028t\u3000s",
    "<mark>the<mark> hello</s> a<unk>b<spare> <pad>",
    "[MASK] the [CLS]hello[SEP] [UNK]",
    "a <mask> b\n<mask>c  [MASK] d",
    "<|end|> \n the<|endoftext|>  the </s>  a <s> b",
    "<dna>acgtACGTTTNNACGTA</dna> the dna <dna>ACCACC",
    "x<dna></dna>y</dna><dna>é",
    "\t\t\n\n\r\n\\\\ it's It's 'S",
    "<|plamo:bos|>日本語<|plamo:eos|>",
]


def main() -> None:
    """Write the golden."""
    texts = [*STRINGS, *mixed_strings()[:23]]
    recorded: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, metadata in SMALL_VOCABULARIES.items():
            path = Path(folder) / "vocab.gguf"
            write_gguf(path, metadata, [])
            with Oracle(path, n_ctx=0) as oracle:
                ids = [oracle.tokenize(text, True, True) for text in texts]
                pieces = [oracle.piece(i).hex() for i in range(oracle.n_vocab)]
            recorded[name] = {"ids": ids, "pieces": pieces}
            print(f"{name}: {sum(map(len, ids))} tokens")
    result = {"metadata": provenance(), "strings": texts, "vocabularies": recorded}
    TARGET.write_text(json.dumps(result, separators=(",", ":")) + "\n", "utf-8")
    print(f"{TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
