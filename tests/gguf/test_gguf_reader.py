"""`open_gguf` reads what gguf-py writes, and what the specification allows."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest
from helpers.gguf_bytes import ARR, STR, T_F32, Image, array, entry, info, small_image, string, u32_entry

from rushlight.errors import InvalidFile, InvalidParameter, ModelNotFound
from rushlight.gguf import GGMLType, MetadataType, StringArray, ValueType, open_gguf


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_every_value_type_that_gguf_py_writes(tmp_path: Path) -> None:
    path = tmp_path / "all.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    scalars = {
        "uint8": (writer.add_uint8, 255),
        "int8": (writer.add_int8, -128),
        "uint16": (writer.add_uint16, 65535),
        "int16": (writer.add_int16, -32768),
        "uint32": (writer.add_uint32, 2**32 - 1),
        "int32": (writer.add_int32, -(2**31)),
        "uint64": (writer.add_uint64, 2**64 - 1),
        "int64": (writer.add_int64, -(2**63)),
        "float32": (writer.add_float32, 0.5),
        "float64": (writer.add_float64, 0.1),
        "bool": (writer.add_bool, True),
        "string": (writer.add_string, "日本"),
    }
    for key, (add, value) in scalars.items():
        add(key, value)
    writer.add_array("ints", [1, -2, 3])
    writer.add_array("floats", [1.5, 2.5])
    writer.add_array("bools", [True, False])
    writer.add_array("strings", ["a", "", "日本"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with open_gguf(path) as file:
        assert file.version == 3 and file.alignment == 32 and not file.tensors
        for key, (_, value) in scalars.items():
            assert file.metadata[key] == value and type(file.metadata[key]) is type(value)
            assert file.metadata_types[key] == MetadataType(ValueType[key.upper()])
        assert file.metadata["ints"].tolist() == [1, -2, 3]
        assert file.metadata["floats"].tolist() == [1.5, 2.5]
        assert file.metadata["bools"].tolist() == [True, False] and file.metadata["bools"].dtype == np.bool_
        assert list(file.metadata["strings"]) == ["a", "", "日本"]
        assert str(file.metadata_types["strings"]) == "ARRAY[STRING]"
        with pytest.raises(ValueError, match="read-only"):
            file.metadata["ints"][0] = 9


def test_tensors_are_read_only_views_in_numpy_order(tmp_path: Path) -> None:
    path = tmp_path / "tensors.gguf"
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((3, 64)).astype(np.float32)
    quantized = gguf.quants.quantize(matrix, gguf.GGMLQuantizationType.Q4_0)
    cube = rng.standard_normal((2, 3, 4)).astype(np.float16)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("matrix", matrix)
    writer.add_tensor("quantized", quantized, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.add_tensor("cube", cube)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with open_gguf(path) as file:
        assert list(file.tensors) == ["matrix", "quantized", "cube"]
        shapes = {name: (tensor.shape, tensor.type) for name, tensor in file.tensors.items()}
        assert shapes == {
            "matrix": ((3, 64), GGMLType.F32),
            "quantized": ((3, 64), GGMLType.Q4_0),
            "cube": ((2, 3, 4), GGMLType.F16),
        }
        assert np.array_equal(file.tensors["matrix"].raw.view(np.float32), matrix)
        assert file.tensors["quantized"].raw.shape == (3, 36)
        assert np.array_equal(file.tensors["quantized"].raw, quantized)
        assert np.array_equal(file.tensors["cube"].raw.view(np.float16), cube)
        for tensor in file.tensors.values():
            assert not tensor.raw.flags.writeable and not tensor.raw.flags.owndata
            assert tensor.raw.ctypes.data % 32 == 0
        assert file.tensors["cube"].n_elements == 24 and file.tensors["cube"].n_bytes == 48
        assert file.n_bytes == path.stat().st_size


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions(tmp_path: Path, version: int) -> None:
    image = small_image()
    image.version = version
    with open_gguf(write(tmp_path / "small.gguf", image.build())) as file:
        assert file.version == version
        assert file.tensors["a.weight"].raw.view("<f4").tolist() == [[1, 2, 3], [4, 5, 6]]
        assert file.tensors["b.weight"].shape == (1, 2, 32)
        assert file.tensors["b.weight"].raw.tobytes() == bytes(range(68))


def test_strings_that_are_not_utf8_keep_their_bytes(tmp_path: Path) -> None:
    with open_gguf(write(tmp_path / "small.gguf", small_image().build())) as file:
        tokens = file.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, StringArray)
    assert len(tokens) == 5
    assert [tokens.raw(i) for i in range(5)] == [b"<s>", b"\xc3\xa9", b"\xc3", b"", b"word"]
    assert list(tokens) == [tokens[i] for i in range(5)] == ["<s>", "é", "\udcc3", "", "word"]
    assert tokens[-1] == "word" and tokens[1:4] == ["é", "\udcc3", ""] and tokens.raw(-5) == b"<s>"
    assert tokens.index("word") == 4 and "é" in tokens
    for i in (5, -6):
        with pytest.raises(IndexError):
            tokens.raw(i)


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b""],
        [b"", b"", b"a"],
        [b"\xc3", b"\xa9"],
        [b"\xff", b"a"],
        [b"a\xff\xff", b""],
        ["日本".encode(), b"\xe6"],
    ],
)
def test_all_strings_at_once_are_the_strings_one_by_one(tmp_path: Path, pieces: list[bytes]) -> None:
    encoded = b"".join(string(piece) for piece in pieces)
    image = Image(entries=[entry("pieces", ARR, array(STR, len(pieces), encoded))])
    with open_gguf(write(tmp_path / "pieces.gguf", image.build())) as file:
        found = file.metadata["pieces"]
    assert found.tolist() == list(found) == [piece.decode("utf-8", "surrogateescape") for piece in pieces]


def test_a_large_vocabulary_is_opened_without_decoding_it(tmp_path: Path) -> None:
    n = 262_144
    encoded = b"".join(string(f"token{i}") for i in range(n))
    image = Image(entries=[entry("tokenizer.ggml.tokens", ARR, array(STR, n, encoded))])
    path = write(tmp_path / "vocabulary.gguf", image.build())
    tracemalloc.start()
    try:
        with open_gguf(path) as file:
            tokens = file.metadata["tokenizer.ggml.tokens"]
            held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The bytes and one 8-byte end each; decoded strings would take 60 bytes each on top.
    assert held < len(encoded) + 8 * n + 1_000_000
    assert len(tokens) == n and tokens[n - 1] == f"token{n - 1}" and tokens[131_072] == "token131072"


def test_alignment_moves_the_data(tmp_path: Path) -> None:
    image = Image(
        entries=[u32_entry("general.alignment", 256)],
        infos=[info("a", (1,), T_F32, 0), info("b", (1,), T_F32, 256)],
        data=struct.pack("<f", 1.0) + bytes(252) + struct.pack("<f", 2.0),
        alignment=256,
    )
    with open_gguf(write(tmp_path / "aligned.gguf", image.build())) as file:
        assert file.alignment == 256
        assert [tensor.raw.view("<f4").item() for tensor in file.tensors.values()] == [1.0, 2.0]


def test_tensors_may_lie_in_any_order_with_gaps(tmp_path: Path) -> None:
    image = Image(
        infos=[info("late", (1,), T_F32, 128), info("early", (1,), T_F32, 0)],
        data=struct.pack("<f", 1.0) + bytes(124) + struct.pack("<f", 2.0) + b"trailing bytes",
    )
    with open_gguf(write(tmp_path / "gaps.gguf", image.build())) as file:
        assert list(file.tensors) == ["late", "early"]
        assert file.tensors["late"].raw.view("<f4").item() == 2.0


def test_metadata_and_taken_tensors_outlive_close(tmp_path: Path) -> None:
    file = open_gguf(str(write(tmp_path / "small.gguf", small_image().build())))
    tensor = file.tensors["a.weight"]
    file.close()
    file.close()
    assert tensor.raw.view("<f4").sum() == 21
    assert file.metadata["tokenizer.ggml.scores"].tolist() == [0, -1, -2, -3, -4]
    assert (
        "small.gguf" in repr(file)
        and "a.weight" in repr(tensor)
        and "StringArray(n=5)" in repr(file.metadata["tokenizer.ggml.tokens"])
    )
    with pytest.raises(InvalidParameter, match="is closed"):
        _ = file.tensors


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no file .*absent\.gguf"):
        open_gguf(tmp_path / "absent.gguf")
    with pytest.raises(InvalidFile, match="is a directory"):
        open_gguf(tmp_path)
    with pytest.raises(InvalidFile, match="is empty"):
        open_gguf(write(tmp_path / "empty.gguf", b""))
    with pytest.raises(InvalidFile, match="not a GGUF file: it begins with b'PK"):
        open_gguf(write(tmp_path / "zip.gguf", b"PK\x03\x04" + bytes(100)))
