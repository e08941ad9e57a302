"""What `write_gguf` writes, gguf-py and `open_gguf` read back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushlight.errors import InvalidParameter
from rushlight.gguf import GGMLType, MetadataType, ValueType, open_gguf
from rushlight.gguf.writer import write_gguf
from rushlight.quants import quantize
from rushlight.quants.convert import QUANTIZABLE

METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "int": 7,
    "negative": -7,
    "large": 2**40,
    "most negative": -(2**40),
    "float": 0.25,
    "bool": True,
    "string": "日本 \x00 \N{GRINNING FACE}",
    "u8": np.uint8(9),
    "i16": np.int16(-9),
    "f64": np.float64(0.1),
    "ints": [1, 2, -3],
    "floats": [1, 0.5],
    "bools": (True, False),
    "strings": ["a", "", "ü"],
    "array": np.arange(4, dtype=np.uint16),
}
TYPES = {
    "general.architecture": "STRING",
    "int": "UINT32",
    "negative": "INT32",
    "large": "UINT64",
    "most negative": "INT64",
    "float": "FLOAT32",
    "bool": "BOOL",
    "string": "STRING",
    "u8": "UINT8",
    "i16": "INT16",
    "f64": "FLOAT64",
    "ints": "ARRAY[INT32]",
    "floats": "ARRAY[FLOAT32]",
    "bools": "ARRAY[BOOL]",
    "strings": "ARRAY[STRING]",
    "array": "ARRAY[UINT16]",
}


def plain(value: Any) -> Any:
    """A value as Python's own types, for comparison."""
    if isinstance(value, (str, bool, int, float)):
        return value
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else list(value)


KNOWN = {type.name for type in gguf.GGMLQuantizationType}


def tensors() -> list[tuple[str, GGMLType, tuple[int, ...], Any]]:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((3, 256)).astype(np.float32)
    listed: list[tuple[str, GGMLType, tuple[int, ...], Any]] = [
        (f"t.{type.name}", type, values.shape, quantize(values, type))
        for type in QUANTIZABLE
        if type.name in KNOWN
    ]
    listed.append(("vector", GGMLType.F32, (5,), np.arange(5, dtype=np.float32)))
    listed.append(
        ("cube", GGMLType.F16, (2, 3, 4), rng.standard_normal((2, 3, 4)).astype(np.float16).tobytes())
    )
    return listed


def test_gguf_py_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, METADATA, tensors())
    reader = gguf.GGUFReader(path)
    for key, value in METADATA.items():
        found = reader.get_field(key)
        assert found is not None and plain(found.contents()) == plain(value), key
        assert str(MetadataType(*(ValueType(int(t)) for t in found.types[:2]))) == TYPES[key]
    assert [tensor.name for tensor in reader.tensors] == [name for name, *_ in tensors()]
    for tensor, (_, type, shape, raw) in zip(reader.tensors, tensors(), strict=True):
        assert tensor.tensor_type == type
        assert tuple(tensor.shape.tolist()) == shape[::-1]
        assert tensor.data.tobytes() == (raw if isinstance(raw, bytes) else raw.tobytes())


def test_open_gguf_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, METADATA, tensors())
    with open_gguf(path) as file:
        assert {key: plain(value) for key, value in file.metadata.items()} == {
            key: plain(value) for key, value in METADATA.items()
        }
        assert {key: str(type) for key, type in file.metadata_types.items()} == TYPES
        for name, type, shape, raw in tensors():
            tensor = file.tensors[name]
            assert (tensor.type, tensor.shape) == (type, shape)
            assert tensor.raw.tobytes() == (raw if isinstance(raw, bytes) else raw.tobytes())


@pytest.mark.parametrize("alignment", [None, 8, 64, 4096])
def test_a_copy_is_the_same_file(tmp_path: Path, alignment: int | None) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write_gguf(first, METADATA | {"empty": np.zeros(0, np.int8)}, tensors(), alignment=alignment)
    with open_gguf(first) as file:
        assert file.alignment == (alignment or 32)
        listed = [(t.name, t.type, t.shape, t.raw) for t in file.tensors.values()]
        write_gguf(second, file.metadata, listed, types=file.metadata_types)
    assert first.read_bytes() == second.read_bytes()


def test_explicit_types_and_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    types = {
        "a": MetadataType(ValueType.UINT64),
        "b": MetadataType(ValueType.ARRAY, ValueType.STRING),
        "c": MetadataType(ValueType.FLOAT64),
    }
    write_gguf(path, {"a": 1, "b": [], "c": 3, "tokens": [b"\xff", "\udcfe"]}, types=types)
    with open_gguf(path) as file:
        assert str(file.metadata_types["a"]) == "UINT64" and file.metadata["c"] == 3.0
        assert len(file.metadata["b"]) == 0
        assert [file.metadata["tokens"].raw(i) for i in range(2)] == [b"\xff", b"\xfe"]


texts = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    texts,
)
arrays = st.one_of(
    st.lists(st.booleans(), min_size=1),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
    st.lists(texts, min_size=1),
)
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda key: key != "general.alignment"
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(keys, st.one_of(scalars, arrays), max_size=6))
def test_any_metadata_round_trips(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = tmp_path / "any.gguf"
    write_gguf(path, metadata)
    with open_gguf(path) as file:
        assert {key: plain(value) for key, value in file.metadata.items()} == metadata
        assert list(file.metadata) == list(metadata)


F32 = GGMLType.F32
FOUR = np.zeros(4, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metadata": {"k": None}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": []}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": [1, "a"]}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": [1, True]}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": 2**64}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": np.complex64(1)}}, "'k' has a value without a GGUF type"),
        ({"metadata": {"k": np.zeros((2, 2))}}, "one-dimensional"),
        ({"metadata": {"k": 1e300}}, "cannot be stored as FLOAT32"),
        (
            {"metadata": {"k": 300}, "types": {"k": MetadataType(ValueType.UINT8)}},
            "cannot be stored as UINT8",
        ),
        (
            {"metadata": {"k": 0.5}, "types": {"k": MetadataType(ValueType.INT32)}},
            "cannot be stored as INT32",
        ),
        ({"metadata": {"k": 1}, "types": {"k": MetadataType(ValueType.BOOL)}}, "cannot be stored as BOOL"),
        (
            {"metadata": {"k": True}, "types": {"k": MetadataType(ValueType.UINT8)}},
            "cannot be stored as UINT8",
        ),
        (
            {"metadata": {"k": "a"}, "types": {"k": MetadataType(ValueType.UINT8)}},
            "cannot be stored as UINT8",
        ),
        (
            {"metadata": {"k": 1}, "types": {"k": MetadataType(ValueType.STRING)}},
            "cannot be stored as STRING",
        ),
        ({"metadata": {"": 1}}, "Metadata key ''"),
        ({"metadata": {"k" * 65536: 1}}, "expected 1 to 65535 bytes"),
        ({"metadata": {"\ud800": 1}}, "bytes of UTF-8"),
        ({"tensors": [("", F32, (4,), FOUR)]}, "Tensor name ''"),
        ({"tensors": [("n" * 64, F32, (4,), FOUR)]}, "expected 1 to 63 bytes"),
        ({"tensors": [("t", F32, (), FOUR)]}, r"'t' has the shape \(\)"),
        ({"tensors": [("t", F32, (4, 0), FOUR)]}, r"'t' has the shape \(4, 0\)"),
        ({"tensors": [("t", F32, (1, 1, 1, 1, 4), FOUR)]}, "expected 1 to 4 dimensions"),
        ({"tensors": [("t", F32, (5,), FOUR)]}, "'t' has 16 bytes; expected 20"),
        (
            {"tensors": [("t", GGMLType.Q4_0, (33,), bytes(18))]},
            "rows of 33 values; expected a multiple of 32",
        ),
        ({"tensors": [("t", F32, (4,), FOUR), ("t", F32, (4,), FOUR)]}, "'t' is given twice"),
        ({"alignment": 12}, "alignment is 12"),
        ({"alignment": 4}, "alignment is 4"),
        ({"alignment": 0}, "alignment is 0"),
        ({"metadata": {"general.alignment": 64}, "alignment": 128}, "says general.alignment is 64"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        write_gguf(tmp_path / "bad.gguf", **({"metadata": {}} | arguments))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, {"k": 1})
    before = path.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_gguf(path, {"k": 2}, [("t", F32, (4,), FOUR)])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a mapped file from being replaced")
def test_an_existing_file_is_replaced_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, {"k": 1}, [("t", F32, (4,), FOUR)])
    with open_gguf(path) as old:
        write_gguf(path, {"k": 2}, [("t", F32, (4,), FOUR + 1)])
        assert old.tensors["t"].raw.view(np.float32).sum() == 0
    with open_gguf(path) as new:
        assert new.metadata["k"] == 2 and new.tensors["t"].raw.view(np.float32).sum() == 4
