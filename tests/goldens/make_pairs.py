"""Record how llama.cpp writes a query and a document as one text: tests/goldens/pairs.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    PYTHONPATH=.:tests oracle/bin/python tests/goldens/make_pairs.py

The vocabularies and the texts are those of pair_vocabularies.py. What is added is what `format_prompt_rerank`
of llama.cpp's server adds, which the bindings do not have; tokens, flags and templates are llama.cpp's own.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import llama_cpp
from goldens.pair_vocabularies import PAIR_VOCABULARIES, PAIRS
from oracle import Oracle, provenance

from rushlight.gguf.writer import write_gguf

TARGET = Path(__file__).parent / "pairs.json"


def pair_ids(oracle: Oracle, query: str, document: str) -> list[int]:
    """The tokens that the server evaluates."""
    template = llama_cpp.llama_model_chat_template(oracle.model, b"rerank")
    if template is not None:
        text = template.decode().replace("{query}", query).replace("{document}", document)
        return oracle.tokenize(text, False, True)
    vocab = oracle.vocab
    end = llama_cpp.llama_vocab_eos(vocab)
    end = llama_cpp.llama_vocab_sep(vocab) if end < 0 else end
    ids = [llama_cpp.llama_vocab_bos(vocab)] if llama_cpp.llama_vocab_get_add_bos(vocab) else []
    ids += oracle.tokenize(query, False, False)
    ids += [end] if llama_cpp.llama_vocab_get_add_eos(vocab) else []
    ids += [llama_cpp.llama_vocab_sep(vocab)] if llama_cpp.llama_vocab_get_add_sep(vocab) else []
    ids += oracle.tokenize(document, False, False)
    return ids + ([end] if llama_cpp.llama_vocab_get_add_eos(vocab) else [])


def main() -> None:
    """Write the golden."""
    recorded = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, metadata in PAIR_VOCABULARIES.items():
            path = Path(folder) / "vocab.gguf"
            write_gguf(path, metadata, [])
            with Oracle(path, n_ctx=0) as oracle:
                recorded[name] = [pair_ids(oracle, *pair) for pair in PAIRS]
    golden = {"metadata": provenance(), "pairs": PAIRS, "vocabularies": recorded}
    TARGET.write_text(json.dumps(golden, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
