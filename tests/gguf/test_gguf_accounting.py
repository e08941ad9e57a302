"""Every hyper-parameter and tensor is read, expected or ignored; what is left over is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rushlight.errors import InvalidFile, UnsupportedModel
from rushlight.gguf import GGMLType, GGUFFile, open_gguf
from rushlight.gguf.accounting import Accounting
from rushlight.gguf.writer import write_gguf

METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "llama.block_count": 2,
    "llama.rope.freq_base": 10000.0,
    "llama.rope.scaling.type": "yarn",
    "llama.attention.causal": True,
    "llama.attention.head_count": np.array([4, 8], np.uint32),
    "llama.attention.head_count_kv": 4,
    "llama.names": ["a", "b"],
    "llama.nan": float("nan"),
    "llamas.other": 1,
}


@pytest.fixture
def file(tmp_path: Path) -> GGUFFile:
    path = tmp_path / "model.gguf"
    matrix = np.zeros((2, 3), np.float32)
    names = ("token_embd.weight", "blk.0.attn_q.weight", "blk.1.attn_q.weight")
    write_gguf(path, METADATA, [(name, GGMLType.F32, (2, 3), matrix) for name in names])
    return open_gguf(path)


@pytest.fixture
def accounts(file: GGUFFile) -> Accounting:
    return Accounting(file, "llama")


def read_metadata(accounts: Accounting) -> None:
    accounts.get_int("block_count")
    accounts.get_float("rope.freq_base")
    accounts.get_str("rope.scaling.type")
    accounts.get_bool("attention.causal")
    accounts.get_int_or_array("attention.head_count", 2)
    accounts.get_int_or_array("attention.head_count_kv", 2)
    accounts.get_array("names")
    accounts.ignore("nan", "tested apart")


def read_tensors(accounts: Accounting) -> None:
    accounts.tensor("token_embd.weight", (2, 3))
    accounts.ignore_tensor("blk.*.attn_q.weight", "tested apart")


def test_getters_return_the_file_s_values(accounts: Accounting) -> None:
    assert accounts.get_int("block_count", min=2, max=2) == 2
    assert accounts.get_float("rope.freq_base") == 10000.0
    assert isinstance(accounts.get_float("block_count"), float)
    assert accounts.get_str("rope.scaling.type", choices=("yarn", "linear")) == "yarn"
    assert accounts.get_bool("attention.causal") is True
    assert accounts.get_int_or_array("attention.head_count", 2, min=1) == (4, 8)
    assert accounts.get_int_or_array("attention.head_count_kv", 3) == (4, 4, 4)
    assert np.array_equal(accounts.get_array("attention.head_count", length=2), [4, 8])
    assert list(accounts.get_array("names")) == ["a", "b"]
    tensor = accounts.tensor("blk.0.attn_q.weight", (2, 3))
    assert tensor.shape == (2, 3)


def test_defaults_stand_in_for_what_is_absent(accounts: Accounting) -> None:
    assert accounts.get_int("absent", 0, min=1) == 0
    assert accounts.get_int("absent", None) is None
    assert accounts.get_float("absent", 1.5) == 1.5
    assert accounts.get_bool("absent", default=False) is False
    assert accounts.get_str("absent", default="none", choices=("yarn",)) == "none"
    assert accounts.get_array("absent", default=None, length=4) is None
    assert accounts.get_int_or_array("absent", 2, None) is None
    assert accounts.tensor("absent", (1,), optional=True) is None
    accounts.expect("absent", 3, "whatever")


def test_finish_passes_when_all_is_accounted(accounts: Accounting) -> None:
    read_metadata(accounts)
    read_tensors(accounts)
    accounts.finish()


@pytest.mark.parametrize("absent", ["block_count", "rope.freq_base", "names"])
def test_finish_lists_unread_keys(file: GGUFFile, absent: str) -> None:
    metadata = dict(file.metadata) | {"llama.swin_norm": True}
    accounts = Accounting(metadata, "llama")
    read_metadata(accounts)
    with pytest.raises(UnsupportedModel, match=r"This llama model has metadata llama\.swin_norm, which"):
        accounts.finish()
    accounts.ignore("swin*", "a reason")
    accounts.finish()
    del metadata[f"llama.{absent}"]
    with pytest.raises(InvalidFile, match=f"no metadata llama.{absent}"):
        read_metadata(Accounting(metadata, "llama"))


def test_finish_lists_unread_tensors(accounts: Accounting) -> None:
    read_metadata(accounts)
    accounts.tensor("blk.0.attn_q.weight")
    expected = r"has tensors blk\.1\.attn_q\.weight, token_embd\.weight, which"
    with pytest.raises(UnsupportedModel, match=expected):
        accounts.finish()


def test_finish_lists_both(accounts: Accounting) -> None:
    accounts.ignore_tensor("blk.*", "a reason")
    accounts.ignore("[!b]*", "a reason")
    with pytest.raises(
        UnsupportedModel, match=r"metadata llama\.block_count and tensors token_embd\.weight, which"
    ):
        accounts.finish()


def test_only_the_architecture_s_own_keys_count() -> None:
    Accounting(
        {"general.name": "x", "tokenizer.ggml.model": "gpt2", "llama2.block_count": 1}, "llama"
    ).finish()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.get_int("absent"), r"no metadata llama\.absent"),
        (lambda a: a.get_float("absent"), r"no metadata llama\.absent"),
        (lambda a: a.get_bool("absent"), r"no metadata llama\.absent"),
        (lambda a: a.get_str("absent"), r"no metadata llama\.absent"),
        (lambda a: a.get_array("absent"), r"no metadata llama\.absent"),
        (lambda a: a.get_int_or_array("absent", 2), r"no metadata llama\.absent"),
        (lambda a: a.get_int("rope.freq_base"), r"llama\.rope\.freq_base is 10000\.0; expected an integer"),
        (lambda a: a.get_int("attention.causal"), "is True; expected an integer"),
        (lambda a: a.get_int("rope.scaling.type", 1), "is 'yarn'; expected an integer"),
        (lambda a: a.get_int("attention.head_count"), "is an array of 2 uint32; expected an integer"),
        (lambda a: a.get_int("names"), "is an array of 2 str; expected an integer"),
        (lambda a: a.get_float("attention.causal"), "is True; expected a number"),
        (lambda a: a.get_float("nan"), "is nan; expected a finite number"),
        (lambda a: a.get_bool("block_count"), "is 2; expected a bool"),
        (lambda a: a.get_str("block_count"), "is 2; expected a string"),
        (lambda a: a.get_array("block_count"), "is 2; expected an array"),
        (lambda a: a.get_int("block_count", min=3), "is 2; expected at least 3"),
        (lambda a: a.get_int("block_count", 2, min=3), "is 2; expected at least 3"),
        (lambda a: a.get_int("block_count", max=1), "is 2; expected at most 1"),
        (lambda a: a.get_float("rope.freq_base", max=1.0), r"is 10000\.0; expected at most 1\.0"),
        (lambda a: a.get_array("attention.head_count", length=3), "has 2 elements; expected 3"),
        (lambda a: a.get_int_or_array("attention.head_count", 3), "expected an integer or 3 of them"),
        (lambda a: a.get_int_or_array("attention.head_count", 2, max=4), "is 8; expected at most 4"),
        (lambda a: a.get_int_or_array("attention.causal", 2), "is True; expected an integer or an array"),
        (lambda a: a.get_int_or_array("names", 2), "expected an integer or an array"),
        (lambda a: a.tensor("absent"), "no tensor 'absent'"),
        (
            lambda a: a.tensor("token_embd.weight", (3, 2)),
            r"has the shape \(2, 3\); the metadata calls for \(3, 2\)",
        ),
        (lambda a: a.tensor("token_embd.weight", (6,), optional=True), r"has the shape \(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_an_invalid_file(
    accounts: Accounting, call: Callable[[Accounting], object], message: str
) -> None:
    with pytest.raises(InvalidFile, match=message):
        call(accounts)


def test_expected_values(accounts: Accounting) -> None:
    accounts.expect("attention.causal", True, "only causal attention is implemented")
    accounts.expect("block_count", 2, "two layers only")
    with pytest.raises(UnsupportedModel, match=r"llama\.block_count is 2, expected 3: three layers only"):
        accounts.expect("block_count", 3, "three layers only")
    with pytest.raises(UnsupportedModel, match="is True, expected 1"):
        accounts.expect("attention.causal", 1, "a number is no bool")
    with pytest.raises(UnsupportedModel, match=r"rope\.scaling\.type is 'yarn'.* supported: 'linear'"):
        accounts.get_str("rope.scaling.type", choices=("linear",))


def test_an_integer_or_a_bool_for_each_layer() -> None:
    bools = np.array([True, False, True])
    accounts = Accounting(
        {"a.period": 4, "a.bools": bools, "a.ints": np.array([1, 0, 1]), "a.word": "x"}, "a"
    )
    assert accounts.get_int_or_bools("period", 3) == 4
    assert accounts.get_int_or_bools("bools", 3) == (True, False, True)
    assert accounts.get_int_or_bools("none", 3, 6) == 6
    for key, words in (("bools", "4 bools"), ("ints", "4 bools"), ("word", "array of bools")):
        with pytest.raises(InvalidFile, match=words):
            accounts.get_int_or_bools(key, 4)
    with pytest.raises(InvalidFile, match="at least 5"):
        accounts.get_int_or_bools("period", 3, min=5)


def test_a_number_or_one_for_each_layer() -> None:
    metadata = {"a.one": 0.5, "a.two": np.array([0.5, 2.0], np.float32), "a.nan": np.array([1.0, np.nan])}
    accounts = Accounting(metadata, "a")
    assert accounts.get_float_or_array("one", 3) == (0.5, 0.5, 0.5)
    assert accounts.get_float_or_array("two", 2) == (0.5, 2.0)
    for key, words in (("two", "3 of them"), ("nan", "3 of them"), ("none", "no metadata a.none")):
        with pytest.raises(InvalidFile, match=words):
            accounts.get_float_or_array(key, 3)
    with pytest.raises(InvalidFile, match="finite"):
        accounts.get_float_or_array("nan", 2)


def test_keys_under_another_prefix_have_accounts_of_their_own(accounts: Accounting) -> None:
    others = accounts.under("llamas")
    with pytest.raises(UnsupportedModel, match="other"):
        others.finish()
    assert others.get_int("other") == 1
    others.finish()


def test_asking_for_a_tensor_does_not_read_it(accounts: Accounting) -> None:
    read_metadata(accounts)
    accounts.ignore_tensor("blk.*", "tested apart")
    assert accounts.has_tensor("token_embd.weight")
    assert not accounts.has_tensor("output.weight")
    with pytest.raises(UnsupportedModel, match="token_embd"):
        accounts.finish()


@pytest.mark.parametrize("value", [np.array([0, 0]), np.array([0]), np.array([], np.uint8)])
def test_an_array_is_not_the_number_that_was_expected(value: np.ndarray[Any, np.dtype[Any]]) -> None:
    with pytest.raises(UnsupportedModel, match=r"a.b is an array of \d u?int\d+, expected 0: why"):
        Accounting({"a.b": value}, "a").expect("b", 0, "why")


def test_long_values_are_shown_in_part() -> None:
    with pytest.raises(InvalidFile, match=r"k is 'xx*\.\.\. \(10002 characters\); expected an integer"):
        Accounting({"llama.k": "x" * 10_000}, "llama").get_int("k")
