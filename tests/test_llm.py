"""`LLM`, the public face: on tiny models for its rules, on a real one for its words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.batches import TINY, load_golden, relative

import rushlight
from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.errors import ContextOverflow, InvalidFile, InvalidParameter, ModelNotFound, RushlightError

GREEDY = SamplingParams(temperature=0, max_tokens=12, ignore_eos=True)
FILE = TINY / "llama-mix.gguf"


@pytest.fixture(scope="module")
def llm() -> Iterator[LLM]:
    with LLM(FILE, n_threads=2) as llm:
        yield llm


def test_public_names() -> None:
    assert {name for name in rushlight.__all__ if not hasattr(rushlight, name)} == set()
    with pytest.raises(AttributeError, match="nothing"):
        rushlight.nothing  # noqa: B018


def test_one_prompt_gives_one_completion_and_a_list_a_list(llm: LLM) -> None:
    one = llm.generate("Once upon", GREEDY)
    many = llm.generate(["Once upon", "a time"], GREEDY)
    assert many[0].token_ids == one.token_ids
    assert len(many) == 2
    ids = llm.tokenize("Once upon")
    assert llm.generate(ids, GREEDY).token_ids == one.token_ids
    assert [out.token_ids for out in llm.generate([ids, ids], GREEDY)] == [one.token_ids] * 2
    assert one.finish_reason == "length"
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (len(ids), 12)


def test_suppressed_tokens_are_never_written(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    written = llm.generate("Once upon", GREEDY).token_ids
    monkeypatch.setattr(llm.tokenizer, "suppress_ids", frozenset(written[:1]))
    other = llm.generate("Once upon", GREEDY).token_ids
    assert other[0] != written[0]
    assert written[0] not in other


def test_each_prompt_may_have_its_own_params(llm: LLM) -> None:
    params = [SamplingParams(max_tokens=n, seed=n, ignore_eos=True) for n in (3, 7)]
    outs = llm.generate(["a", "b"], params)
    assert [(len(out.token_ids), out.seed) for out in outs] == [(3, 3), (7, 7)]
    with pytest.raises(InvalidParameter, match="2 prompts and 1 params"):
        llm.generate(["a", "b"], params[:1])


def test_a_seed_gives_the_same_words_and_is_reported(llm: LLM) -> None:
    params = SamplingParams(max_tokens=20, ignore_eos=True)
    first = llm.generate("abc", params)
    again = llm.generate("abc", SamplingParams(max_tokens=20, ignore_eos=True, seed=first.seed))
    other = llm.generate("abc", SamplingParams(max_tokens=20, ignore_eos=True, seed=first.seed ^ 1))
    assert again.token_ids == first.token_ids != other.token_ids


def test_chunks_add_up_to_the_completion(llm: LLM) -> None:
    params = SamplingParams(max_tokens=30, seed=5, ignore_eos=True, logprobs=2)
    whole = llm.generate("The", params)
    chunks = list(llm.stream("The", params))
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert [i for chunk in chunks for i in chunk.token_ids] == whole.token_ids
    last = chunks[-1]
    assert (last.finish_reason, last.seed, last.usage) == (whole.finish_reason, 5, whole.usage)
    assert all(chunk.finish_reason is None for chunk in chunks[:-1])
    assert whole.logprobs is not None
    assert [entry.token_id for entry in whole.logprobs] == whole.token_ids
    assert all(len(entry.top) == 2 and entry.logprob <= 0 for entry in whole.logprobs)


def test_a_stop_string_ends_the_text_before_itself(llm: LLM) -> None:
    whole = llm.generate("xyz", SamplingParams(max_tokens=40, seed=1, ignore_eos=True)).text
    stop = whole[8:11]
    out = llm.generate("xyz", SamplingParams(max_tokens=40, seed=1, ignore_eos=True, stop=stop))
    assert out.text == whole[: whole.index(stop)]
    assert out.finish_reason == "stop"


def test_closing_a_stream_frees_its_sequence(llm: LLM) -> None:
    stream = llm.stream("abc", SamplingParams(ignore_eos=True))
    next(stream)
    stream.close()
    llm.generate("a", GREEDY)  # by now the abort has been handled
    assert not llm._engine.has_work


def test_stats_grow_with_what_is_asked(llm: LLM) -> None:
    before = llm.stats()
    ids = list(range(40))
    llm.generate([ids, ids[:9]], GREEDY)
    llm.generate(ids, GREEDY)
    after = llm.stats()
    assert after.prompt_tokens - before.prompt_tokens == 89
    assert after.generated_tokens - before.generated_tokens == 36
    assert after.cached_tokens - before.cached_tokens == 32
    assert after.computed_tokens - before.computed_tokens == 89 + 36 - 3 - 32
    assert after.finished["length"] - before.finished["length"] == 3
    assert (after.n_waiting, after.n_running, {block.used for block in after.blocks}) == (0, 0, {0})
    assert after.steps > before.steps


def test_threads_share_the_model(llm: LLM) -> None:
    prompts = [f"thread {i}" for i in range(6)]
    alone = [llm.generate(prompt, GREEDY).token_ids for prompt in prompts]
    found: dict[int, list[int]] = {}

    def work(i: int) -> None:
        found[i] = llm.generate(prompts[i], GREEDY).token_ids

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [found[i] for i in range(6)] == alone


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_logits_are_those_of_llama_cpp_and_of_a_prefix(backend: str) -> None:
    golden = load_golden("llama-f32")
    with LLM(golden.path, backend=backend, n_ctx=golden.n_ctx, kv_dtype="f32") as llm:
        logits = llm.logits(golden.ids)
        assert logits.shape == (len(golden.ids), llm.tokenizer.n_vocab) and logits.dtype == np.float32
        assert relative(logits[golden.positions], golden.logits) < 5e-6
        prefix = llm.logits(golden.ids[:23])
    assert relative(prefix, logits[:23]) < 1e-6
    if backend == "cpu":
        np.testing.assert_array_equal(prefix, logits[:23])


def test_prompt_logprobs_are_those_of_the_logits(llm: LLM) -> None:
    ids = np.random.default_rng(3).integers(0, 300, 60).tolist()
    rows = llm.logits(ids).astype(np.float64)
    want = rows - rows.max(1, keepdims=True)
    want -= np.log(np.exp(want).sum(1, keepdims=True))
    params = SamplingParams(max_tokens=4, temperature=0, ignore_eos=True, logprobs=0, prompt_logprobs=2)
    silent = SamplingParams(max_tokens=0, prompt_logprobs=2)
    both, alone, plain = llm.generate([ids, ids, ids], [params, silent, GREEDY])
    assert both.token_ids == plain.token_ids[:4]
    assert (alone.token_ids, alone.text, alone.finish_reason) == ([], "", "length")
    assert (alone.usage.prompt_tokens, alone.usage.completion_tokens, alone.usage.cached_tokens) == (60, 0, 0)
    assert plain.prompt_logprobs is None
    assert both.prompt_logprobs == alone.prompt_logprobs == list(llm.stream(ids, silent))[-1].prompt_logprobs
    first, *found = alone.prompt_logprobs or ()
    assert first is None and len(found) == len(ids) - 1
    for entry, row, token_id in zip(found, want, ids[1:], strict=False):
        assert entry is not None and entry.token_id == token_id
        likeliest = np.argsort(-row, kind="stable")[:2]
        assert [i for i, _ in entry.top] == likeliest.tolist()
        logprobs = [entry.logprob, *(logprob for _, logprob in entry.top)]
        np.testing.assert_allclose(logprobs, row[[token_id, *likeliest]], rtol=0, atol=1e-6)


def test_logits_take_more_tokens_than_a_step(llm: LLM) -> None:
    ids = np.random.default_rng(0).integers(0, 300, 60).tolist()
    with LLM(FILE, options=EngineOptions(n_batch_tokens=8)) as small:
        np.testing.assert_array_equal(small.logits(ids), llm.logits(ids))


def test_text_goes_there_and_back(llm: LLM) -> None:
    text = "Hello, wörld! 🏒"
    assert llm.detokenize(llm.tokenize(text, add_special=False)) == text


def test_bad_requests_are_refused_with_the_numbers(llm: LLM) -> None:
    n_ctx = llm.n_ctx
    with pytest.raises(ContextOverflow, match=f"{n_ctx + 3} tokens, but the context of {n_ctx}"):
        llm.generate([1] * (n_ctx + 3), GREEDY)
    with pytest.raises(InvalidParameter, match="id 99999"):
        llm.generate([1, 99999], GREEDY)
    for prompt in (None, 3, [], [[]], [1.5], ["a", None]):
        with pytest.raises(InvalidParameter):
            llm.generate(prompt, GREEDY)  # type: ignore[call-overload]
    with pytest.raises(InvalidParameter, match="role"):
        llm.chat([{"content": "no role"}])
    with pytest.raises(InvalidParameter, match="type of response_format"):
        llm.chat([{"role": "user", "content": "x"}], response_format={"type": "xml"})
    with pytest.raises(TypeError):
        SamplingParams(temprature=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "gpu"}, "no backend"),
        ({"n_threads": 0}, "n_threads"),
        ({"n_ctx": 1}, "n_ctx is 1"),
        ({"n_ctx": 10**9}, "positions"),
        ({"kv_dtype": "q1"}, "kv_dtype"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        LLM(FILE, **options)  # type: ignore[arg-type]


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        LLM(tmp_path / "none.gguf")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(FILE.read_bytes()[:-100])
    with pytest.raises(InvalidFile):
        LLM(cut)


def test_closed_is_closed() -> None:
    llm = LLM(FILE)
    llm.generate("a", GREEDY)
    llm.close()
    llm.close()
    with pytest.raises(RushlightError, match="closed"):
        llm.generate("a", GREEDY)


def test_a_conversation_with_a_real_model(smollm2_path: Path) -> None:
    with LLM(smollm2_path, n_ctx=512) as llm:
        messages = [{"role": "user", "content": "Hi, tell me about ice hockey"}]
        prompt = llm.apply_chat_template(messages)
        assert prompt.endswith(
            "<|im_start|>user\nHi, tell me about ice hockey<|im_end|>\n<|im_start|>assistant\n"
        )
        params = SamplingParams(temperature=0, max_tokens=24)
        reply = llm.chat(messages, params)
        streamed = "".join(chunk.text for chunk in llm.stream(messages, params))
        assert reply.text == streamed == llm.generate(prompt, params).text.strip()
        assert reply.finish_reason in {"stop", "length"}
        assert "<|im_end|>" not in reply.text
        assert llm.metadata["general.architecture"] == "llama"
        assert llm.config.n_layer == 30
        again = llm.chat(messages, params)
        assert again.token_ids == reply.token_ids and again.usage.cached_tokens > 0
