"""What stands between the engine and the user: answers, prompts, and letting go of what nobody waits for."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY

from rushlight import LLM, SamplingParams
from rushlight.answer import Answer
from rushlight.engine.sequence import Sequence
from rushlight.errors import InvalidParameter, ModelNotFound
from rushlight.prompts import batch_of, encode_rendered, is_messages
from rushlight.sampling import Sampled
from rushlight.text import Tokenizer, load_tokenizer

FILE = TINY / "llama-mix.gguf"
ENDLESS = SamplingParams(ignore_eos=True)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer(FILE)


def idle(llm: LLM) -> bool:
    """Whether the engine runs out of work; a sequence left behind would go on for a while."""
    for _ in range(200):
        if not llm._engine.has_work:
            return True
        time.sleep(0.01)
    return False


def test_a_token_beyond_the_vocabulary_has_no_text(tokenizer: Tokenizer) -> None:
    params = SamplingParams()
    answer = Answer(tokenizer, params, strip_prefix=False)
    a, b = tokenizer.encode("ab", add_special=False)
    sequence = Sequence((1,), params, 9)
    for token_id in (a, tokenizer.n_vocab, tokenizer.n_vocab + 7, b):
        assert not answer.token(Sampled(token_id))
        sequence.append(token_id)
    sequence.finish_reason = "length"
    answer.finished(sequence)
    assert "".join(chunk.text for chunk in answer.chunks()) == "ab"


def test_half_a_character_comes_with_the_end(tokenizer: Tokenizer) -> None:
    params = SamplingParams()
    answer = Answer(tokenizer, params, strip_prefix=False)
    ids = tokenizer.encode("xé", add_special=False)[:-1]
    sequence = Sequence((1,), params, 9)
    for token_id in ids:
        answer.token(Sampled(token_id))
        sequence.append(token_id)
    sequence.finish_reason = "length"
    answer.finished(sequence)
    completion = answer.completion()
    assert completion.text == "x\ufffd"
    assert completion.token_ids == ids
    assert (completion.seed, completion.logprobs) == (9, None)


def test_an_error_is_raised_where_the_answer_is_awaited(tokenizer: Tokenizer) -> None:
    answer = Answer(tokenizer, SamplingParams(), strip_prefix=False)
    sequence = Sequence((1,), SamplingParams(), 0)
    sequence.error, sequence.finish_reason = ZeroDivisionError("a bug"), "error"
    answer.finished(sequence)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        answer.completion()


@pytest.mark.parametrize("name", ["gemma3-f32", "phi3-f32", "llama-f32"])
def test_a_rendered_conversation_begins_with_one_bos(name: str) -> None:
    tokenizer = load_tokenizer(TINY / f"{name}.gguf")
    bos = tokenizer.special_tokens.get("bos_token", "")
    rendered = encode_rendered(tokenizer, f"{bos}hello")
    plain = encode_rendered(tokenizer, "hello")
    if tokenizer.add_bos:
        assert bos
        assert rendered == plain
        assert plain.count(tokenizer.bos_id) == 1  # type: ignore[arg-type]
    else:
        assert plain == tokenizer.encode("hello", add_special=False)


def test_what_counts_as_a_prompt() -> None:
    assert batch_of("text") == (["text"], True)
    assert batch_of([1, 2]) == ([[1, 2]], True)
    assert batch_of(np.array([1, 2])) == ([[1, 2]], True)  # type: ignore[arg-type]
    assert batch_of((1, 2)) == ([[1, 2]], True)  # type: ignore[arg-type]
    assert batch_of(["a", [np.int64(3)]]) == (["a", [3]], False)  # type: ignore[list-item]
    for wrong in ([], [True], [1, "a"], b"bytes", {"a": 1}, np.ones(2)):
        with pytest.raises(InvalidParameter, match="token ids"):
            batch_of(wrong)  # type: ignore[arg-type]
    assert is_messages([{"role": "user", "content": "x"}])
    assert not is_messages("x")
    with pytest.raises(InvalidParameter, match="role"):
        is_messages([{"role": "user", "content": "x"}, "y"])


def test_ctrl_c_lets_go_of_the_sequence() -> None:
    with LLM(FILE, n_threads=1, n_ctx=2048) as llm:
        stream = llm.stream("abc", ENDLESS)
        next(stream)
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)
        assert idle(llm)


def test_a_stream_that_is_never_read_costs_nothing() -> None:
    with LLM(FILE, n_threads=1) as llm:
        stream = llm.stream("abc", ENDLESS)
        assert not llm._engine.has_work
        del stream
        assert idle(llm)
        with pytest.raises(InvalidParameter, match="empty"):
            llm.stream("")  # refused before the first chunk is asked for


def test_a_model_that_is_let_go_ends_its_thread() -> None:
    def engine_threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "rushlight-engine"]

    before = len(engine_threads())
    llm = LLM(FILE, n_threads=1)
    llm.generate("abc", SamplingParams(max_tokens=2))
    gone = weakref.ref(llm)
    del llm
    gc.collect()
    assert gone() is None
    assert len(engine_threads()) == before


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json"):
        LLM(FILE, tokenizer=tmp_path / "tokenizer.json")
