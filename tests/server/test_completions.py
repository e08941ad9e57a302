"""``/v1/completions`` through OpenAI's own client; its scores against the model's logits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from running import RunningServer

from rushlight import SamplingParams

TEXT = "Ice hockey is a team sport played on ice"


@pytest.fixture(scope="module")
def client(smollm2: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=smollm2.v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.completions.create(**{"model": "smollm2", "prompt": TEXT, "temperature": 0, **fields})


def test_a_text_goes_on_as_the_model_writes_it(client: openai.OpenAI, smollm2: RunningServer) -> None:
    answer = ask(client)
    whole = smollm2.llm.generate(TEXT, SamplingParams(temperature=0, max_tokens=16))
    assert answer.choices[0].text == whole.text
    assert answer.usage.completion_tokens == 16
    ids = smollm2.llm.tokenize(TEXT)
    assert ask(client, prompt=ids).choices[0].text == whole.text


def test_a_batch_has_n_choices_for_each_prompt_in_order(client: openai.OpenAI) -> None:
    prompts = [TEXT, "The sea"]
    answer = ask(client, prompt=prompts, n=2, temperature=1, seed=7)
    alone = [ask(client, prompt=p, temperature=1, seed=s).choices[0].text for p in prompts for s in (7, 8)]
    assert [choice.text for choice in answer.choices] == alone
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_streams_add_up(client: openai.OpenAI) -> None:
    fields = {"temperature": 1, "seed": 4, "n": 2, "max_tokens": 20}
    whole = ask(client, **fields, logprobs=2)
    chunks = list(ask(client, **fields, logprobs=2, stream=True, stream_options={"include_usage": True}))
    for i, choice in enumerate(whole.choices):
        own = [c.choices[0] for c in chunks if c.choices and c.choices[0].index == i]
        assert "".join(each.text for each in own) == choice.text
        lists = [each.logprobs for each in own if each.logprobs]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            assert [x for each in lists for x in getattr(each, name)] == getattr(choice.logprobs, name)
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    many = {**fields, "prompt": [TEXT, "A", TEXT * 3], "n": 2}
    last = list(ask(client, **many, stream=True, stream_options={"include_usage": True}))[-1]
    used = ask(client, **many).usage
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (
        used.prompt_tokens,
        used.completion_tokens,
    )
    assert used.prompt_tokens == sum(
        ask(client, prompt=prompt).usage.prompt_tokens for prompt in many["prompt"]
    )
    echoed = list(ask(client, echo=True, stream=True))
    assert echoed[0].choices[0].text == TEXT


def test_echo_scores_a_prompt(client: openai.OpenAI, smollm2: RunningServer) -> None:
    llm = smollm2.llm
    ids = llm.tokenize("Ünïted by the sea 🏒 and ice.")
    rows = llm.logits(ids).astype(np.float64)
    rows -= np.log(np.exp(rows - rows.max(1, keepdims=True)).sum(1, keepdims=True)) + rows.max(
        1, keepdims=True
    )
    expected = rows[np.arange(len(ids) - 1), ids[1:]]
    answer = ask(client, prompt=ids, echo=True, max_tokens=0, logprobs=1).choices[0]
    assert answer.text == llm.detokenize(ids)
    scores = answer.logprobs
    assert scores.token_logprobs[0] is None and scores.top_logprobs[0] is None
    np.testing.assert_allclose(scores.token_logprobs[1:], expected, atol=1e-5)
    assert len(scores.tokens) == len(ids)
    best = [max(top, key=top.get) for top in scores.top_logprobs[1:]]
    assert [b == t for b, t in zip(best, scores.tokens[1:], strict=True)] == list(
        rows[:-1].argmax(1) == ids[1:]
    )
    assert any(token.startswith("bytes:") for token in scores.tokens)
    ends = [*scores.text_offset[1:], len(answer.text)]
    whole = [
        (token, answer.text[a:b])
        for token, a, b in zip(scores.tokens, scores.text_offset, ends, strict=True)
        if not token.startswith("bytes:")
    ]
    assert all(token == piece for token, piece in whole)
    more = ask(client, prompt=ids, echo=True, max_tokens=3, logprobs=1).choices[0]
    assert len(more.logprobs.tokens) == len(ids) + 3
    assert more.logprobs.token_logprobs[1 : len(ids)] == scores.token_logprobs[1:]
    extra = ask(client, prompt=ids, max_tokens=1, extra_body={"prompt_logprobs": 1}).choices[0]
    assert extra.prompt_logprobs[0] is None
    assert [
        table[str(i)]["logprob"] for table, i in zip(extra.prompt_logprobs[1:], ids[1:], strict=True)
    ] == scores.token_logprobs[1:]


def test_truncation_is_asked_for_and_told(client: openai.OpenAI, smollm2: RunningServer) -> None:
    ids = smollm2.llm.tokenize("one two three four five six seven " * 200)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, prompt=ids)
    assert caught.value.code == "context_length_exceeded"
    cut = ask(client, prompt=ids, extra_body={"truncate_prompt_tokens": 100})
    assert cut.choices[0].text == ask(client, prompt=ids[-100:]).choices[0].text
    assert cut.usage.prompt_tokens == 100
    assert cut.usage.prompt_tokens_details.truncated_tokens == len(ids) - 100
    fits = ask(
        client, prompt=ids, max_tokens=24, extra_body={"truncate_prompt_tokens": -1, "ignore_eos": True}
    )
    assert (fits.usage.prompt_tokens, fits.usage.completion_tokens) == (1000, 24)
    assert ask(client).usage.prompt_tokens_details.model_extra == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"suffix": "end"}, "suffix is not supported"),
        ({"best_of": 3}, "only as many as n"),
        ({"prompt": []}, "1 or more"),
        ({"prompt": 3}, "a list of strings"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, -1]}, "prompt"),
        ({"prompt": [99999999]}, "id 99999999"),
        ({"prompt": ["a"] * 300}, "at most 256"),
        ({"prompt": ["a", 3]}, "a string was expected"),
        ({"echo": True, "logprobs": 1, "stream": True}, "ask without stream"),
        ({"n": 16, "prompt": ["a"] * 256}, "asks for 4096 sequences"),
        ({"extra_body": {"truncate_prompt_tokens": 0}}, "leaves 0 tokens"),
    ],
)
def test_what_cannot_be_is_refused(client: openai.OpenAI, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        ask(client, **fields)
