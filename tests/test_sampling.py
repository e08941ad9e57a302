from __future__ import annotations

import dataclasses
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rushlight.drawing import uniforms
from rushlight.errors import RushlightError
from rushlight.params import SamplingParams
from rushlight.portable_math import exp_scaled, log
from rushlight.sampling import draw_seed, highest, sample, token_logprobs

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 3, 300).astype(np.float32)


def oracle_choice(logits: np.ndarray, params: SamplingParams, generated: list[int], seed: int) -> int:
    """The documented order, token by token, in exact fractions wherever no exponential is needed."""
    scores = {i: float(np.float32(x)) for i, x in enumerate(logits)}
    for i, bias in params.logit_bias.items():
        scores[i] = float(np.float32(scores[i]) + np.float32(bias))
    n = params.repeat_last_n
    for i in set(generated if n < 0 else generated[len(generated) - min(n, len(generated)) :]):
        penalty = np.float32(params.repeat_penalty)
        x = np.float32(scores[i])
        scores[i] = float(x / penalty if x > 0 else x * penalty)
    for i, count in Counter(generated).items():
        taken = np.float32(count * params.frequency_penalty + params.presence_penalty)
        scores[i] = float(np.float32(scores[i]) - taken)
    ranked = sorted(scores, key=lambda i: (-scores[i], i))
    if params.temperature == 0:
        return ranked[0]
    if params.top_k:
        ranked = ranked[: params.top_k]
    top = scores[ranked[0]]
    weight = {i: Fraction(math.exp(max((scores[i] - top) / params.temperature, -700))) for i in ranked}
    if params.top_p < 1:
        total, held, kept = sum(weight.values()), Fraction(0), []
        for i in ranked:
            kept.append(i)
            held += weight[i]
            if held >= Fraction(params.top_p) * total:
                break
        ranked = kept
    ranked = sorted(i for i in ranked if weight[i] >= params.min_p)
    ranked = [i for _, i in sorted((place % 512, i) for place, i in enumerate(ranked))]
    point = Fraction(uniforms(seed, len(generated), 1)[0]) * sum(weight[i] for i in ranked)
    for i in ranked:
        point -= weight[i]
        if point < 0:
            return i
    raise AssertionError("the point lies beyond the weights")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_sampling_follows_its_documented_order(data: st.DataObject) -> None:
    n_vocab = data.draw(st.sampled_from([1, 2, 60, 300, 512, 513, 1300]))
    grid = data.draw(st.sampled_from([0.001, 0.5]))  # a coarse grid makes equal logits common
    numbers = np.random.default_rng(data.draw(st.integers(0, 10**6))).normal(0, 3, n_vocab)
    logits = (np.round(numbers / grid) * grid).astype(np.float32)
    token = st.integers(0, n_vocab - 1)
    params = SamplingParams(
        temperature=data.draw(st.sampled_from([0, 0.3, 1.0, 2.5])),
        top_k=data.draw(st.sampled_from([0, 1, 3, 40, 1000])),
        top_p=data.draw(st.sampled_from([1.0, 0.97, 0.5, 0.01])),
        min_p=data.draw(st.sampled_from([0.0, 0.05, 1.0])),
        repeat_penalty=data.draw(st.sampled_from([1.0, 1.3])),
        repeat_last_n=data.draw(st.sampled_from([-1, 0, 2, 64])),
        presence_penalty=data.draw(st.sampled_from([0, 0.5])),
        frequency_penalty=data.draw(st.sampled_from([0, 0.25])),
        logit_bias=data.draw(st.dictionaries(token, st.sampled_from([-5.0, 2.0]), max_size=3)),
    )
    generated = data.draw(st.lists(token, max_size=8))
    before = logits.copy()
    seed = data.draw(st.integers(0, 2**64 - 1))
    assert sample(logits, params, generated, seed).token_id == oracle_choice(logits, params, generated, seed)
    np.testing.assert_array_equal(logits, before)


def philox(key: int, counter: int) -> int:
    """First word of Philox4x64-10 by its paper's formula (Salmon et al. 2011, section 3.3)."""
    mask = 2**64 - 1
    c = [counter & mask, counter >> 64, 0, 0]
    k0, k1 = key, 0
    for _ in range(10):
        a, b = c[0] * 0xD2E7470EE14C6C93, c[2] * 0xCA5A826395121157
        c = [(b >> 64) ^ c[1] ^ k0, b & mask, (a >> 64) ^ c[3] ^ k1, a & mask]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & mask, (k1 + 0xBB67AE8584CAA73B) & mask
    return c[0]


def test_golden_values_pin_the_random_numbers() -> None:
    """Changing these changes every seeded text of every user. NumPy counts once before its first word."""
    points = [(0, 0), (0, 1), (1, 0), (2**64 - 1, 7), (42, 2**40)]
    assert [uniforms(seed, i, 1)[0].hex() for seed, i in points] == [
        "0x1.7a5d3204726c0p-7",
        "0x1.0137e64510730p-1",
        "0x1.36da89edd58a0p-2",
        "0x1.5f85964b826e0p-1",
        "0x1.6564ea3853c90p-1",
    ]
    for seed, i in points:
        assert uniforms(seed, i, 5) == [(philox(seed, i + j) >> 11) * 2.0**-53 for j in range(1, 6)]


def test_golden_tokens_pin_the_draw() -> None:
    params = SamplingParams(temperature=0.8, top_p=0.95, repeat_penalty=1.2)
    logits = np.array([i * 7919 % 1000 / 128 for i in range(5000)], np.float32)
    tokens: list[int] = []
    while len(tokens) < 12:
        tokens.append(sample(logits, params, tokens, 1234).token_id)
    assert tokens == [2235, 988, 3482, 2210, 4274, 1890, 2495, 803, 4494, 186, 2173, 2879]


def test_draws_have_the_right_frequencies() -> None:
    """Chi-squared with 4 degrees of freedom: 27 is passed once in 50,000 tries, and the seeds are fixed."""
    logits = np.log(np.array([0.4, 0.3, 0.15, 0.1, 0.05], np.float32))
    n = 4000
    counts = Counter(sample(logits, SamplingParams(), [], seed).token_id for seed in range(n))
    expected = {i: n * p for i, p in enumerate([0.4, 0.3, 0.15, 0.1, 0.05])}
    assert sum((counts[i] - e) ** 2 / e for i, e in expected.items()) < 27


def test_a_draw_depends_on_nothing_but_seed_and_index() -> None:
    params = SamplingParams()
    for generated in ([1, 2, 3], [9, 9, 9]):
        assert sample(LOGITS, params, generated, 3).token_id == sample(LOGITS, params, [0, 0, 0], 3).token_id
    assert len({sample(LOGITS, params, [0] * n, 3).token_id for n in range(40)}) > 5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_logit_that_is_no_number_is_an_error(bad: float) -> None:
    logits = LOGITS.copy()
    logits[17] = bad
    for temperature in (0, 1):
        with pytest.raises(RushlightError, match="logit of token 17 is"):
            sample(logits, SamplingParams(temperature=temperature), [], 0)


def test_extremes_stay_quiet_and_finite() -> None:
    logits = np.array([3e38, -3e38, 3e38, 0], np.float32)
    assert sample(logits, SamplingParams(temperature=1e-300), [], 1).token_id in (0, 2)
    assert sample(logits, SamplingParams(temperature=0), [], 1).token_id == 0
    assert sample(logits, SamplingParams(temperature=1e300), [], 1).token_id in range(4)
    assert sample(np.zeros(1, np.float32), SamplingParams(top_p=0.1, min_p=1, top_k=1), [], 1).token_id == 0


def test_what_overflows_is_the_largest_number() -> None:
    logits = np.array([-3e38, 3.0, 3e38], np.float32)
    for penalty in (1.5, 0.5):  # the first number overflows, or the last
        params = SamplingParams(temperature=0, repeat_penalty=penalty)
        assert sample(logits, params, [0, 2], 0).token_id == 2
        assert sample(logits, dataclasses.replace(params, temperature=1.0), [0, 2], 0).token_id == 2


def test_logprobs_are_of_the_raw_logits() -> None:
    params = SamplingParams(temperature=0.2, top_k=3, logit_bias={7: 50.0}, logprobs=4)
    result = sample(LOGITS, params, [], 0)
    assert result.token_id == 7
    assert result.logprobs is not None
    exact = LOGITS.astype(np.longdouble)
    exact -= np.log(np.exp(exact).sum())
    assert result.logprobs.logprob == pytest.approx(float(exact[7]), abs=1e-12)
    order = sorted(range(300), key=lambda i: (-LOGITS[i], i))[:4]
    assert [i for i, _ in result.logprobs.top] == order
    assert [p for _, p in result.logprobs.top] == pytest.approx([float(exact[i]) for i in order], abs=1e-12)
    assert token_logprobs(LOGITS, 7, 0).top == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 90), st.integers(0, 1000))
def test_highest_is_the_head_of_a_full_sort(n: int, k: int, seed: int) -> None:
    logits = np.random.default_rng(seed).integers(0, 200, n).astype(np.float32)
    assert list(highest(logits, k)) == sorted(range(n), key=lambda i: (-logits[i], i))[:k]


def test_exp_keeps_its_error_bound() -> None:
    x = np.concatenate([RNG.uniform(-700, 0, 40_000), RNG.uniform(-40, 0, 40_000)]).astype(np.float32)
    got = exp_scaled(x, 0.0, 1.0)
    want = np.array([math.exp(v) for v in x.tolist()])
    error = np.abs(got / want - 1)
    assert error.max() < 2e-13
    assert error[40_000:].max() < 1e-14
    np.testing.assert_allclose(exp_scaled(x, 3.0, 7.0), np.exp((x.astype(float) - 3) / 7), rtol=1e-13)
    assert exp_scaled(np.array([0, -2000], np.float32), 0.0, 1.0).tolist() == pytest.approx(
        [1.0, math.exp(-700)], rel=2e-13
    )


def test_log_keeps_its_error_bound() -> None:
    numbers = [1.0, 2.0, 0.5, 1 + 1e-12, math.pi, 1e300, 1e-300, *RNG.uniform(1, 1e6, 2000).tolist()]
    for x in numbers:
        assert log(x) == pytest.approx(math.log(x), rel=1e-14, abs=1e-16)


def test_drawn_seeds_differ() -> None:
    seeds = {draw_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert all(0 <= s < 2**64 for s in seeds)
