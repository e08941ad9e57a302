"""The prompts and parameters that make_words.py writes to words.json.

Lengths sit on both sides of what is cut in pieces: blocks of the KV cache (32 tokens), the parts that
attention is computed in (256), windows (16, 63 and 512), the contexts that models were trained for before
their rotary angles were stretched (32, 64, 256), and the context itself.
"""

from __future__ import annotations

from typing import Any

from words import Request

GREEDY = {"temperature": 0}
MOST_SEED = 2**64 - 1

PROSE = (
    "The lamp had to be wound, the lenses wiped, the fuel measured and the log kept. Four times a day she "
    "climbed one hundred and forty-two steps with a cloth over her shoulder, and four times a day she came "
    "down again."
)
CODE = 'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n    if n'
JSON = '{"name": "Alice", "age": 30, "city": "Paris"}\n{"name": "Bob", "age": 25, "city": "'
SCRIPTS = {
    "french": "Il était une fois un petit garçon qui",
    "german": "Der Fluß überschwemmte die Straße, und",
    "russian": "Москва — столица",
    "greek": "Η Αθήνα είναι η πρωτεύουσα",
    "arabic": "عاصمة مصر هي",
    "hebrew": "בירת ישראל היא",
    "hindi": "भारत की राजधानी",
    "thai": "เมืองหลวงของไทยคือ",
    "chinese": "中国的首都是",
    "japanese": "日本で一番高い山は",
    "korean": "대한민국의 수도는",
    "emoji": "I love ice hockey 🏒🥅! My favourite team 👩‍👩‍👧‍👦",
}
CHAT = [
    {"role": "system", "content": "You answer in one short sentence."},
    {"role": "user", "content": "Who wrote Hamlet?"},
    {"role": "assistant", "content": "William Shakespeare wrote Hamlet."},
    {"role": "user", "content": "When was he born? 🎭"},
]
HAIKU = [{"role": "user", "content": "Write a haiku about ice hockey"}]

# One for each script in turn.
SAMPLING: tuple[dict[str, Any], ...] = (
    {"temperature": 1.0},
    {"temperature": 0.7, "top_p": 0.9},
    {"temperature": 1.3, "min_p": 0.05},
    {"temperature": 0.9, "top_k": 40},
    {"temperature": 1.0, "repeat_penalty": 1.2, "repeat_last_n": 64},
    {"temperature": 0.8, "presence_penalty": 0.6, "frequency_penalty": 0.4},
    {"temperature": 1.1, "top_k": 100, "top_p": 0.95, "min_p": 0.01},
    {"temperature": 0.01},
    {"temperature": 5.0, "top_k": 7},
    {"temperature": 0, "repeat_penalty": 1.3, "repeat_last_n": -1},
    {"temperature": 1.0, "top_p": 0.3, "logit_bias": {"5": 2.5, "17": -100.0}},
    {"temperature": 0.95, "top_p": 0.999, "logprobs": 5},
)


def _request(
    name: str,
    prompt: str | list[dict[str, str]],
    params: dict[str, Any],
    max_tokens: int | None,
    n_tokens: int = 0,
) -> Request:
    return Request(name, prompt, n_tokens, {**params, "max_tokens": max_tokens})


def _seeded(requests: list[Request]) -> tuple[Request, ...]:
    """Seeds that differ, the least and the greatest among them."""
    seeds = [0, MOST_SEED, *(11400714819323198485 * i % 2**64 for i in range(1, len(requests)))]
    return tuple(
        Request(r.name, r.prompt, r.n_tokens, {**r.params, "seed": seed}, r.all_logits)
        for r, seed in zip(requests, seeds, strict=False)
    )


def _hotter(params: dict[str, Any]) -> dict[str, Any]:
    """The same with four times the temperature: random weights repeat themselves without."""
    return {**params, "temperature": 4 * params["temperature"]}


def tiny_requests(index: int) -> tuple[Request, ...]:
    """Of a tiny model with a context of 320; the scripts take turns by model."""
    names = list(SCRIPTS)
    turn = [names[(4 * index + i) % len(names)] for i in range(4)]
    how = [_hotter(SAMPLING[(4 * index + index // 3 + i) % len(SAMPLING)]) for i in range(4)]
    endless = {"ignore_eos": True}
    return _seeded(
        [
            _request("greedy", PROSE[:60], {**GREEDY, "frequency_penalty": 2.0}, 24),
            _request("chat", CHAT, _hotter(SAMPLING[1]), 12),
            _request(f"{turn[0]}-31", SCRIPTS[turn[0]], {**how[0], **endless}, 4, 31),
            _request(f"{turn[1]}-1", SCRIPTS[turn[1]], {**how[1], **endless}, 68, 1),
            _request(f"{turn[2]}-64", SCRIPTS[turn[2]], {**how[2], **endless}, 9, 64),
            _request(f"{turn[3]}-254", SCRIPTS[turn[3]], {**how[3], **endless}, 5, 254),
            _request("to-the-end", PROSE, {"temperature": 4.0, **endless}, None, 312),
            Request("every-logit", JSON, 75, {}, all_logits=True),
        ]
    )


def real_requests(window: int) -> tuple[Request, ...]:
    """Of a real model with a context of 704 whose window, or what stands in for one, has this many tokens."""
    scripts = [
        _request(name, text, how, 12) for (name, text), how in zip(SCRIPTS.items(), SAMPLING, strict=True)
    ]
    return _seeded(
        [
            _request("greedy", PROSE, GREEDY, 32),
            _request("haiku", HAIKU, {**SAMPLING[1], "repeat_penalty": 1.2}, 32),
            _request("chat", CHAT, GREEDY, 16),
            _request("code", CODE, {"temperature": 0.2, "stop": ["\n\n"]}, 40),
            *scripts,
            _request("one-token", PROSE, SAMPLING[0], 34, 1),
            _request("json-31", JSON, GREEDY, 3, 31),
            _request("json-33", JSON, SAMPLING[6], 3, 33),
            _request("prose-255", PROSE, SAMPLING[0], 4, 255),
            _request("prose-257", PROSE, GREEDY, 4, 257),
            _request("window", PROSE, SAMPLING[3], 12, window - 6),
            _request("to-the-end", PROSE, {"temperature": 1.0, "ignore_eos": True}, None, 699),
        ]
    )
