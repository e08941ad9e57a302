"""Record llama.cpp's tokenization of hard strings: tests/goldens/tokens/<vocabulary>.json.

Run from the repository root with the Python of the oracle's environment (see oracle.py):

    oracle/bin/python tests/goldens/make_tokens.py FILE.gguf ...

The files are the two real models, named smollm2.gguf and gemma3-270m.gguf, and llama.cpp's vocabulary files
of types BPE and SPM (vendor/llama.cpp/models/ggml-vocab-*.gguf in the llama-cpp-python sdist). A golden holds

    metadata   file name, SHA-256, versions
    special    ids of bos, eos, eot, ... (-1: none) and whether bos and eos are added
    eog        every id at which llama.cpp ends generation
    pieces     [id, hex of its bytes when special tokens are shown, hex when not] of a sample of tokens
    cases      the strings of hard_strings.json, then the vocabulary's own special tokens in context:
        text     left out for the strings of hard_strings.json, which come first and in their order
        ids      lists for (add_special, parse_special) = (no, no), (no, yes), (yes, no), (yes, yes);
                 a number n stands for the same list as the n-th
        shown    llama_detokenize of the last list with special tokens shown
        hidden   the same with special tokens hidden; left out when equal

llama_detokenize of some BPE vocabularies drops spaces before punctuation, as transformers'
clean_up_tokenization_spaces does, and for an SPM vocabulary it keeps the space that tokenizing put before the
text when a bos, shown or hidden, stands in front of it. The bytes of a stream are those of `pieces`.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path

import llama_cpp
from oracle import Oracle, provenance

HERE = Path(__file__).parent
ATTR_CONTROL, ATTR_USER_DEFINED = 1 << 3, 1 << 4
N_SAMPLED_PIECES = 300
N_SPECIAL_IN_CONTEXT = 8
CONTEXTS = ("{0}", "a{0}b", "x {0} y", "{0}\n\n {0}  z", "1{0}{0}\t!")
COMBINATIONS = ((False, False), (False, True), (True, False), (True, True))
SPECIAL = ("bos", "eos", "eot", "sep", "nl", "pad", "mask", "fim_pre", "fim_suf", "fim_mid")


def _special_tokens(oracle: Oracle) -> tuple[list[int], list[int]]:
    """Ids of the control and of the user-defined tokens."""
    attributes = [int(llama_cpp.llama_vocab_get_attr(oracle.vocab, i)) for i in range(oracle.n_vocab)]
    control = [i for i, attribute in enumerate(attributes) if attribute & ATTR_CONTROL]
    user_defined = [i for i, attribute in enumerate(attributes) if attribute & ATTR_USER_DEFINED]
    return control, user_defined


def _own_strings(oracle: Oracle, rng: random.Random) -> list[str]:
    """Some of the vocabulary's special tokens, of both kinds, in each context."""
    names = []
    for kind in _special_tokens(oracle):
        chosen = rng.sample(kind, min(N_SPECIAL_IN_CONTEXT, len(kind)))
        names += [llama_cpp.llama_vocab_get_text(oracle.vocab, i).decode() for i in sorted(chosen)]
    return [context.format(name) for name in names for context in CONTEXTS]


def _case(oracle: Oracle, text: str) -> dict[str, object]:
    lists = [oracle.tokenize(text, add, parse) for add, parse in COMBINATIONS]
    ids = [lists.index(one) if lists.index(one) < i else one for i, one in enumerate(lists)]
    shown = oracle.detokenize(lists[3], False, True).decode("utf-8", "surrogateescape")
    hidden = oracle.detokenize(lists[3], False, False).decode("utf-8", "surrogateescape")
    return {"ids": ids, "shown": shown, **({} if hidden == shown else {"hidden": hidden})}


def _sampled_pieces(oracle: Oracle, rng: random.Random) -> list[tuple[int, str, str]]:
    control, user_defined = _special_tokens(oracle)
    sample = {*control[:50], *user_defined[:50], *rng.sample(range(oracle.n_vocab), N_SAMPLED_PIECES)}
    return [(i, oracle.piece(i, True).hex(), oracle.piece(i, False).hex()) for i in sorted(sample)]


def golden(path: Path, name: str) -> dict[str, object]:
    """Everything recorded of one vocabulary."""
    rng = random.Random(name)
    hard_strings = json.loads((HERE / "hard_strings.json").read_text("utf-8"))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with Oracle(path) as oracle:
        special: dict[str, int | bool] = {
            key: getattr(llama_cpp, f"llama_vocab_{key}")(oracle.vocab) for key in SPECIAL
        }
        special["add_bos"] = llama_cpp.llama_vocab_get_add_bos(oracle.vocab)
        special["add_eos"] = llama_cpp.llama_vocab_get_add_eos(oracle.vocab)
        return {
            "metadata": {"vocabulary": path.name, "sha256": sha256, **provenance()},
            "special": special,
            "eog": [i for i in range(oracle.n_vocab) if oracle.is_eog(i)],
            "pieces": _sampled_pieces(oracle, rng),
            "cases": [
                *(_case(oracle, text) for text in hard_strings),
                *({"text": text, **_case(oracle, text)} for text in _own_strings(oracle, rng)),
            ],
        }


def main() -> None:
    """Write a golden for each file named on the command line."""
    (HERE / "tokens").mkdir(exist_ok=True)
    for argument in sys.argv[1:]:
        path = Path(argument)
        name = path.stem.removeprefix("ggml-vocab-")
        recorded = golden(path, name)
        target = HERE / "tokens" / f"{name}.json"
        target.write_text(json.dumps(recorded, separators=(",", ":")) + "\n", "utf-8")
        print(f"{target.stat().st_size:9,d}  {name}")


if __name__ == "__main__":
    main()
