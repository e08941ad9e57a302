"""`quantize`: the bytes of gguf-py where it can quantize, the quality of ggml's reference where it cannot."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rushlight.errors import InvalidParameter, UnsupportedTensorType
from rushlight.gguf.types import BLOCK_SIZES, GGMLType
from rushlight.quants import dequantize, quantize
from rushlight.quants.convert import CHUNK_VALUES, QUANTIZABLE

K_QUANTS = [GGMLType.Q4_K, GGMLType.Q5_K, GGMLType.Q6_K]
EXACT = [type for type in QUANTIZABLE if type not in K_QUANTS]
OF_GGML = [GGMLType.Q8_K, GGMLType.Q1_0, GGMLType.Q2_0]  # gguf-py does not write them
OF_GGUF_PY = [type for type in EXACT if type not in OF_GGML]
KINDS = ["normal", "uniform", "heavy", "negative", "small", "sparse", "uneven"]


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("k_quants.npz")) as file:
        return dict(file)


def expected(values: np.ndarray, type: GGMLType) -> np.ndarray:
    with np.errstate(all="ignore"):
        return gguf.quants.quantize(values, gguf.GGMLQuantizationType[type.name]).view(np.uint8)


def error(values: np.ndarray, raw: np.ndarray, type: GGMLType) -> float:
    """Root mean square of what quantizing changed, summed in float64."""
    return float(np.sqrt(np.mean((dequantize(raw, type).astype(np.float64) - values) ** 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type", OF_GGUF_PY, ids=lambda t: t.name)
def test_same_bytes_as_gguf_py(golden: dict[str, np.ndarray], type: GGMLType, kind: str) -> None:
    values = golden[kind]
    found = quantize(values, type)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected(values, type))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type", OF_GGML, ids=lambda t: t.name)
def test_same_bytes_as_ggml(golden: dict[str, np.ndarray], type: GGMLType, kind: str) -> None:
    assert np.array_equal(quantize(golden[kind], type), golden[f"{kind}.{type.name}"])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(OF_GGUF_PY),
    npst.arrays(
        np.float32,
        256,
        elements=st.one_of(
            st.floats(-1e4, 1e4, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30),
            st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 127.0, -128.0, 8.0, -8.0]),
        ),
    ),
)
def test_same_bytes_as_gguf_py_for_any_values(type: GGMLType, values: np.ndarray) -> None:
    assert np.array_equal(quantize(values, type), expected(values, type))


def test_bf16_rounds_to_even() -> None:
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x80000001, 0x00008000], np.uint32)
    found = quantize(bits.view(np.float32), "BF16").view(np.uint16)
    assert found.tolist() == [0x3F80, 0x3F82, 0x3F81, 0x3F80, 0x8000, 0x0000]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type", K_QUANTS, ids=lambda t: t.name)
def test_k_quants_are_as_good_as_the_reference(
    golden: dict[str, np.ndarray], type: GGMLType, kind: str
) -> None:
    values, reference = golden[kind], golden[f"{kind}.{type.name}"]
    assert error(values, quantize(values, type), type) <= 1.01 * error(values, reference, type)


@pytest.mark.parametrize("type", K_QUANTS, ids=lambda t: t.name)
def test_k_quants_of_weights_are_the_reference_s(golden: dict[str, np.ndarray], type: GGMLType) -> None:
    """Sums are added in another order, which now and then tips a value or a scale: nearly all bytes agree."""
    found = quantize(golden["normal"], type)
    assert (found == golden[f"normal.{type.name}"]).mean() > 0.99


# Half a step of an ideal code of so many levels over the range, and twice that for the codes of the scales.
@pytest.mark.parametrize(
    ("type", "bound"),
    [
        ("F32", 0), ("F16", 2**-11), ("Q8_K", 1 / 225), ("MXFP4", 1 / 3), ("TQ1_0", 1 / 2), ("TQ2_0", 1 / 2),
        ("Q2_0", 1 / 2), ("BF16", 2**-8), ("Q8_0", 1 / 225), ("Q6_K", 1 / 32), ("Q5_1", 1 / 30),
        ("Q5_K", 1 / 20), ("Q5_0", 1 / 15), ("Q4_1", 1 / 14), ("Q4_K", 1 / 9), ("Q4_0", 1 / 7),
    ],
)  # fmt: skip
@settings(max_examples=25, deadline=None)
@given(
    values=npst.arrays(np.float32, 256, elements=st.floats(-1, 1, width=16)),
    scale=st.sampled_from([1, 30, 1000]),
)
def test_no_value_moves_far(type: str, bound: float, values: np.ndarray, scale: float) -> None:
    values = values * np.float32(scale)
    back = dequantize(quantize(values, type), type)
    largest = np.abs(values).max()
    # A scale is a half: below its normal range it is off by up to 2^-25, times 128 * 32 levels at most.
    floor = 0 if type == "F32" else 1.25e-4
    assert np.abs(back - values).max() <= bound * largest + floor


@pytest.mark.parametrize("type", K_QUANTS, ids=lambda t: t.name)
@pytest.mark.parametrize("exponent", [-3, 10, 20])
def test_a_power_of_two_only_moves_the_scales(
    golden: dict[str, np.ndarray], type: GGMLType, exponent: int
) -> None:
    values = golden["normal"]
    power = np.float32(2.0**exponent)
    back = dequantize(quantize(values * power, type), type)
    assert np.array_equal(back, dequantize(quantize(values, type), type) * power)


@pytest.mark.parametrize("type", K_QUANTS, ids=lambda t: t.name)
@pytest.mark.parametrize("value", [0.0, 0.37, -0.37, 1e-9, 1000.0])
def test_k_quants_of_a_constant(type: GGMLType, value: float) -> None:
    values = np.full((2, 256), value, np.float32)
    back = dequantize(quantize(values, type), type)
    assert np.abs(back - values).max() <= 2e-3 * abs(value) + 1e-7


@pytest.mark.parametrize("type", QUANTIZABLE, ids=lambda t: t.name)
def test_zeros_stay_zeros(type: GGMLType) -> None:
    raw = quantize(np.zeros(256, np.float32), type)
    assert not dequantize(raw, type).any()


@pytest.mark.parametrize("type", QUANTIZABLE, ids=lambda t: t.name)
def test_values_too_small_for_a_half_become_zeros(type: GGMLType) -> None:
    if type in (GGMLType.F32, GGMLType.BF16, GGMLType.Q8_K, GGMLType.MXFP4):
        return
    values = np.random.default_rng(0).uniform(-1e-39, 1e-39, 256).astype(np.float32)
    assert not dequantize(quantize(values, type), type).any()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("type", QUANTIZABLE, ids=lambda t: t.name)
def test_shapes(type: GGMLType, shape: tuple[int, ...]) -> None:
    block = BLOCK_SIZES[type]
    values = np.random.default_rng(1).standard_normal((*shape, 2 * block.values))
    raw = quantize(values, type)
    assert raw.shape == (*shape, 2 * block.bytes)
    rows = [quantize(row, type) for row in values.reshape(-1, 2 * block.values)]
    assert np.array_equal(raw.reshape(-1, 2 * block.bytes), np.reshape(rows, (-1, 2 * block.bytes)))


@pytest.mark.parametrize("type", QUANTIZABLE, ids=lambda t: t.name)
def test_chunks_do_not_matter(type: GGMLType) -> None:
    values = np.random.default_rng(2).standard_normal((CHUNK_VALUES // 256 + 2, 256)).astype(np.float32)
    whole = quantize(values, type)
    assert np.array_equal(whole[-4:], quantize(values[-4:], type))
    assert np.array_equal(quantize(np.asfortranarray(values), type), whole)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("type", QUANTIZABLE, ids=lambda t: t.name)
def test_values_that_are_not_finite_are_refused(type: GGMLType, bad: float) -> None:
    values = np.zeros((2, 256))
    values[1, 77] = bad
    with pytest.raises(InvalidParameter, match="expected finite numbers"):
        quantize(values, type)


@pytest.mark.parametrize(
    ("type", "value"),
    [("F16", 65520.0), ("BF16", 3.4e38), ("Q4_0", 6e5), ("Q4_1", -2e6), ("Q5_0", 1.1e6)]
    + [("Q5_1", 3e6), ("Q8_0", 9e6), ("TQ1_0", 7e4), ("TQ2_0", 7e4), ("Q2_0", 7e4), ("Q1_0", 9e6)]
    + [(type, value) for type in ("Q4_K", "Q5_K", "Q6_K") for value in (3e8, 2e9, 1e20, 3e38)],
)  # fmt: skip
def test_values_too_large_are_refused(type: str, value: float) -> None:
    values = np.zeros(256, np.float32)
    values[3] = value
    with pytest.raises(InvalidParameter, match=rf"too large for {type}"):
        quantize(values, type)


def test_other_input_is_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"shape \(33,\); expected a multiple of 32 values"):
        quantize(np.zeros(33), "Q4_0")
    with pytest.raises(InvalidParameter, match=r"shape \(\)"):
        quantize(np.float32(1), "F32")
    with pytest.raises(InvalidParameter, match="are bool; expected numbers"):
        quantize(np.zeros(32, np.bool_), "Q4_0")
    with pytest.raises(InvalidParameter, match="expected numbers"):
        quantize(["a"], "F32")
    with pytest.raises(UnsupportedTensorType, match="Q8_1 is not supported"):
        quantize(np.zeros(256), "Q8_1")


@pytest.mark.parametrize("type", sorted(set(GGMLType) - set(QUANTIZABLE)), ids=lambda t: t.name)
def test_types_that_are_only_read_are_refused(type: GGMLType) -> None:
    with pytest.raises(UnsupportedTensorType, match=rf"{type.name} can be read but not written; .*F32"):
        quantize(np.zeros(256), type)
