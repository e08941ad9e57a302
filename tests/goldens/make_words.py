"""Record the words that every machine must write: tests/goldens/words.json.

Run from the repository root after a change that may rightly move the last bits of a logit (another order of
additions, say); it takes a minute or two:

    python tests/goldens/make_words.py

The requests are those of words_requests.py. It prints which models give something else than was recorded.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from words import SCENARIOS, TINY, WORDS, Model, load_words, run
from words_requests import real_requests, tiny_requests

TINY_CTX, REAL_CTX = 320, 704


def _models() -> list[Model]:
    tiny = [
        Model(path.stem, TINY_CTX, tiny_requests(i)) for i, path in enumerate(sorted(TINY.glob("*.gguf")))
    ]
    return [
        *tiny,
        Model("smollm2", REAL_CTX, real_requests(384)),
        Model("gemma3-270m", REAL_CTX, real_requests(512)),
    ]


def main() -> None:
    """Write words.json."""
    before = load_words() if WORDS.exists() else {}
    recorded = {}
    for model in _models():
        words = run(model, SCENARIOS["alone-2"]).words
        if model.name in before and words != before[model.name].expected:
            print(f"{model.name} gives other words than before")
        recorded[model.name] = {
            "sha256": hashlib.sha256(model.path.read_bytes()).hexdigest(),
            "n_ctx": model.n_ctx,
            "requests": [{**asdict(r), "expected": asdict(words[r.name])} for r in model.requests],
        }
    text = json.dumps({"models": recorded}, ensure_ascii=False, separators=(",", ":"))
    WORDS.write_text(text.replace('{"name":', '\n{"name":') + "\n", "utf-8")


if __name__ == "__main__":
    main()
