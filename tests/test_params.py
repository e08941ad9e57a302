from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from rushlight.errors import InvalidParameter
from rushlight.params import EngineOptions, SamplingParams

NAN, INF = float("nan"), float("inf")


def test_the_defaults_change_nothing() -> None:
    params = SamplingParams()
    assert (params.temperature, params.top_k, params.top_p, params.min_p) == (1.0, 0, 1.0, 0.0)
    assert (params.repeat_penalty, params.repeat_last_n) == (1.0, 64)
    assert (params.presence_penalty, params.frequency_penalty, params.logit_bias) == (0, 0, {})
    assert (params.max_tokens, params.seed, params.stop, params.logprobs) == (None, None, (), None)
    assert params.ignore_eos is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", -1), ("max_tokens", 1.5), ("max_tokens", True), ("max_tokens", "7"),
        ("temperature", -0.1), ("temperature", NAN), ("temperature", INF), ("temperature", "hot"),
        ("temperature", 10**400), ("top_k", -1), ("top_k", 1.0), ("top_p", 0), ("top_p", 1.01),
        ("top_p", NAN), ("min_p", -0.1), ("min_p", 2), ("repeat_penalty", 0), ("repeat_penalty", -1),
        ("repeat_penalty", INF), ("repeat_last_n", -2), ("repeat_last_n", None), ("presence_penalty", NAN),
        ("frequency_penalty", "x"), ("frequency_penalty", 1e7), ("seed", -1), ("seed", 2**64), ("seed", 1.0),
        ("stop", ""), ("stop", ("a", "")), ("stop", 5), ("stop", (b"x",)), ("stop", None),
        ("logit_bias", [1]), ("logit_bias", {-1: 0.5}), ("logit_bias", {"1": 0.5}), ("logit_bias", {1: NAN}),
        ("logit_bias", {1: -INF}), ("logprobs", -1), ("logprobs", 101), ("logprobs", True),
        ("prompt_logprobs", -1), ("prompt_logprobs", 101), ("ignore_eos", 1),
    ],
)  # fmt: skip
def test_a_bad_value_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidParameter, match=name):
        SamplingParams(**{name: value})  # type: ignore[arg-type]


def test_a_bad_parameter_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="temperature is -1; it must be at least 0"):
        SamplingParams(temperature=-1)


def test_unknown_names_and_positions_raise() -> None:
    with pytest.raises(TypeError):
        SamplingParams(temprature=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        SamplingParams(16)  # type: ignore[misc]


def test_frozen_copied_and_pickled() -> None:
    bias = {3: 1.0}
    params = SamplingParams(stop=["a", "b"], logit_bias=bias, seed=7)
    bias[4] = 1.0
    assert params.logit_bias == {3: 1.0}
    assert params.stop == ("a", "b")
    assert SamplingParams(stop="END").stop == ("END",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.seed = 8  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(params)) == copy.deepcopy(params) == params
    assert dataclasses.replace(params, seed=9).stop == ("a", "b")


def test_numpy_scalars_are_numbers() -> None:
    params = SamplingParams(max_tokens=np.int64(3), temperature=np.float32(0.5), logit_bias={np.int32(1): 2})  # type: ignore[arg-type]
    assert params.max_tokens == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_batch_tokens", 0), ("n_batch_tokens", 4), ("n_sequences", 0), ("n_sequences", 1.5),
        ("kv_tokens", 0), ("kv_tokens", "1G"), ("kv_bytes", 0), ("kv_bytes", 1e9), ("n_waiting", -1),
        ("step_seconds", 0), ("step_seconds", NAN), ("prefix_cache", 1), ("cache_dir", 7), ("cache_dir", ""),
        ("cache_bytes", 0), ("cache_bytes", 1e9),
    ],
)  # fmt: skip
def test_engine_options_are_validated(name: str, value: object) -> None:
    with pytest.raises(InvalidParameter, match=name):
        EngineOptions(**{name: value})  # type: ignore[arg-type]


def test_one_option_sets_the_size_of_the_cache() -> None:
    with pytest.raises(InvalidParameter, match="kv_tokens and kv_bytes are both given"):
        EngineOptions(kv_tokens=512, kv_bytes=2**20)


def test_a_cache_on_disk_needs_one_in_memory() -> None:
    with pytest.raises(InvalidParameter, match="cache_dir is given, but prefix_cache is False"):
        EngineOptions(cache_dir="cache", prefix_cache=False)
