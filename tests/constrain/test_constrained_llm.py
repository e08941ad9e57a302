"""Constraints in the engine: tiny random models, whose garbage only the constraint turns into answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest
from helpers.batches import TINY

from rushlight import LLM, EngineOptions, SamplingParams
from rushlight.completion import Completion
from rushlight.errors import InvalidParameter
from rushlight.params import MAX_BIAS
from rushlight.requests import ChatOptions
from rushlight.sampling import Sampled, sample, token_logprobs
from rushlight.text import ChatTemplate
from rushlight.text.tools import functions_of

SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "maxLength": 8},
        "b": {"type": "integer", "minimum": 0, "maximum": 99},
        "c": {"type": "array", "items": {"enum": ["x", "yy", 3]}, "maxItems": 3},
    },
    "required": ["a", "b", "c"],
    "additionalProperties": False,
}
TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if tools %}T{% endif %}"
    "{% if add_generation_prompt %}[assistant]{% if think %}<think>\n{% elif think is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
    "{# </think> <tool_call> #}"
)
USER = [{"role": "user", "content": "Weather?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 4}},
                "required": ["city"],
            },
        },
    }
    for name in ("f", "g")
]
NO_THINKING = {"think": False}


def load(name: str, **kwargs: Any) -> LLM:
    llm = LLM(TINY / f"{name}.gguf", n_threads=1, **{"n_ctx": 1024, **kwargs})
    llm.conversation.__dict__["template"] = ChatTemplate(TEMPLATE)
    llm.conversation.__dict__["tool_template"] = ChatTemplate(TEMPLATE)
    return llm


@pytest.fixture(scope="module")
def llm() -> Iterator[LLM]:
    with load("llama-mix") as llm:
        yield llm


def seeded(seed: int, **kwargs: Any) -> SamplingParams:
    return SamplingParams(seed=seed, max_tokens=200, **kwargs)


@pytest.mark.parametrize("name", ["llama-mix", "gemma3-f32"])
def test_answers_are_valid(name: str) -> None:
    with load(name) as llm:
        ways: list[dict[str, Any]] = [{}, {"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.5, "min_p": 0.1}]
        ways += [{"ignore_eos": True}, {"repeat_penalty": 1.4, "frequency_penalty": 1.0}]
        params = [seeded(seed, json_schema=SCHEMA, **way) for seed, way in enumerate(ways)]
        for out in llm.generate(["abc"] * len(params), params):
            jsonschema.validate(json.loads(out.text), SCHEMA)
            assert out.finish_reason == "stop"
        for seed in range(4):
            out = llm.chat(
                USER, seeded(seed), response_format={"type": "regex", "regex": r"\s?[a-c]{1,5}:[0-9]{2}"}
            )
            assert re.fullmatch(r"\s?[a-c]{1,5}:[0-9]{2}", out.text)


def test_the_backends_agree() -> None:
    texts = []
    for backend in ("cpu", "reference"):
        with load("llama-f32", backend=backend) as llm:
            texts.append(llm.generate("abc", seeded(1, temperature=0.0, json_schema=SCHEMA)).text)
    assert texts[0] == texts[1]


def test_the_end_of_max_tokens_and_of_the_grammar(llm: LLM) -> None:
    out = llm.generate("abc", SamplingParams(regex="[a-z]{9}", max_tokens=3, temperature=0.0))
    assert (out.finish_reason, len(out.token_ids)) == ("length", 3)
    for ignore_eos in (False, True):
        out = llm.generate("abc", SamplingParams(regex="[xyz]{9}", seed=0, ignore_eos=ignore_eos))
        assert (out.finish_reason, len(out.text)) == ("stop", 9)
    endless = SamplingParams(regex="[ab]*", max_tokens=64, ignore_eos=True, seed=1)
    out = llm.generate("abc", endless)
    assert out.finish_reason == "length"
    assert set(out.text) == {"a", "b"}
    assert llm.generate("abc", SamplingParams(regex="", seed=1)).text == ""


def test_a_stop_string_ends_a_constrained_answer(llm: LLM) -> None:
    out = llm.generate("abc", seeded(1, regex="a{3}b{3}c{200}", stop="b"))
    assert (out.text, out.finish_reason) == ("aaa", "stop")


def test_log_probabilities_are_those_before_the_mask(llm: LLM) -> None:
    out = llm.generate("abc", SamplingParams(regex="[0-9]{4}", temperature=0.0, logprobs=3))
    free = llm.generate("abc", SamplingParams(max_tokens=1, temperature=0.0, logprobs=3))
    assert out.logprobs is not None
    assert free.logprobs is not None
    assert out.logprobs[0].top == free.logprobs[0].top
    assert out.logprobs[0].token_id not in [id for id, _ in out.logprobs[0].top]


def test_the_mask_is_that_of_forbidden_logits() -> None:
    """Against a bias on every other token; the random number falls on the same place of the same weights."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=400).astype(np.float32) * 4
    allowed = np.sort(rng.choice(400, 37, replace=False))
    others = {int(id): -MAX_BIAS for id in set(range(400)) - set(allowed.tolist())}
    ways: list[dict[str, Any]] = [{"temperature": 0.0}, {"top_k": 9}, {"top_p": 0.6}, {"min_p": 0.05}]
    for seed, way in enumerate([*ways, {"top_k": 20, "repeat_penalty": 1.5}]):
        biased = SamplingParams(logit_bias=others, **way)
        free = SamplingParams(logprobs=2, **way)
        mine = sample(logits, free, [int(allowed[3])], seed, allowed=allowed)
        assert mine.token_id == sample(logits, biased, [int(allowed[3])], seed).token_id
        assert mine.logprobs == token_logprobs(logits, mine.token_id, 2)


def mixed() -> list[SamplingParams]:
    ways: list[dict[str, Any]] = [
        {"json_schema": SCHEMA},
        {},
        {"regex": r"[a-e ]{40,60}"},
        {"json_schema": SCHEMA, "temperature": 0.0},
        {"grammar": 'start: ("(" /[a-z]{1,4}/ ")"){12}'},
        {},
    ]
    return [SamplingParams(seed=i, max_tokens=90, **way) for i, way in enumerate(ways)]


def same(one: Completion, other: Completion) -> bool:
    return (one.token_ids, one.finish_reason) == (other.token_ids, other.finish_reason)


def test_batches_preemption_and_the_cache_change_nothing() -> None:
    prompts = [f"{'abcd' * (4 + i)} {i}" for i in range(6)]
    alone_options = EngineOptions(n_sequences=1, prefix_cache=False)
    with load("llama-mix", n_ctx=192, options=alone_options) as llm:
        alone = [llm.generate(prompt, own) for prompt, own in zip(prompts, mixed(), strict=True)]
    tight = EngineOptions(n_sequences=6, n_batch_tokens=16, kv_tokens=192)
    with load("llama-mix", n_ctx=192, options=tight) as llm:
        for _ in range(2):
            together = llm.generate(list(prompts), mixed())
            assert all(map(same, together, alone))
        assert llm.stats().preemptions > 0
        assert llm.stats().cached_tokens > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_call_is_demanded(llm: LLM, seed: int) -> None:
    out = llm.chat(
        USER,
        seeded(seed),
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        chat_template_kwargs=NO_THINKING,
    )
    assert (out.text, out.finish_reason, len(out.tool_calls)) == ("", "tool_calls", 1)
    function = out.tool_calls[0]["function"]
    jsonschema.validate(json.loads(function["arguments"]), functions_of(TOOLS)[function["name"]])
    named = {"type": "function", "function": {"name": "g"}}
    chunks = list(
        llm.stream(USER, seeded(seed), tools=TOOLS, tool_choice=named, chat_template_kwargs=NO_THINKING)
    )
    deltas = [delta for chunk in chunks for delta in chunk.tool_deltas]
    (call,) = [call for chunk in chunks for call in chunk.tool_calls]
    assert (deltas[0].index, deltas[0].name, deltas[0].id) == (0, "g", call["id"])
    assert len(deltas) > 2
    assert "".join(delta.arguments for delta in deltas) == call["function"]["arguments"]
    assert all(delta.name is None and delta.id is None for delta in deltas[1:])
    assert chunks[-1].finish_reason == "tool_calls"


def test_tools_or_a_format(llm: LLM) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    called = set()
    for seed in range(8):
        out = llm.chat(
            USER, seeded(seed), tools=TOOLS, response_format=form, chat_template_kwargs=NO_THINKING
        )
        called.add(bool(out.tool_calls))
        if not out.tool_calls:
            jsonschema.validate(json.loads(out.text), SCHEMA)
    assert called == {True, False}


def test_tool_choice_none_shows_no_tools(llm: LLM) -> None:
    free = SamplingParams(seed=3, max_tokens=8)
    none = llm.chat(USER, free, tools=TOOLS, tool_choice="none")
    assert none.digest == llm.chat(USER, free).digest
    assert none.digest != llm.chat(USER, free, tools=TOOLS).digest
    assert (
        llm.chat(USER, free, tools=TOOLS, tool_choice="auto").digest
        == llm.chat(USER, free, tools=TOOLS).digest
    )


def test_thinking_is_not_constrained(llm: LLM) -> None:
    params = SamplingParams(seed=1, max_tokens=30, json_schema={"enum": [7]})
    thinking = llm.chat(USER, params, chat_template_kwargs={"think": True})
    assert (thinking.text, thinking.finish_reason) == ("", "length")
    assert len(thinking.reasoning) > 20
    assert llm.chat(USER, params, chat_template_kwargs=NO_THINKING).text == "7"


def test_one_call_where_calls_are_not_parallel(llm: LLM) -> None:
    """The answer of a model that goes on after a call ends with it."""
    call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    both, one = (
        llm._request(USER, SamplingParams(), ChatOptions(tools=TOOLS, parallel_tool_calls=parallel))
        for parallel in (True, False)
    )
    for (sequence, answer), n in ((both, 2), (one, 1)):
        ended = [answer.token(Sampled(id)) for id in llm.tokenize(call + call, add_special=False)]
        assert any(ended) == (n == 1)
        sequence.finish_reason = "stop"
        answer.finished(sequence)
        assert len(answer.completion().tool_calls) == n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tool_choice": "required"}, "no tools"),
        ({"tool_choice": "always", "tools": TOOLS}, "tool_choice is 'always'"),
        ({"tool_choice": {"type": "function"}, "tools": TOOLS}, "tool_choice is"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "h"}}, "tools": TOOLS},
            "the tools are f, g",
        ),
        ({"parallel_tool_calls": 1, "tools": TOOLS}, "parallel_tool_calls"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"huh": 1}}}}, "huh"),
        (
            {"tools": [{"name": "f", "parameters": {"huh": 1}}], "tool_choice": "required"},
            "parameters of tool f",
        ),
    ],
)
def test_wrong_requests_are_refused_at_once(llm: LLM, arguments: dict[str, Any], message: str) -> None:
    for ask in (llm.chat, llm.stream):
        with pytest.raises(InvalidParameter, match=message):
            ask(USER, **arguments)
