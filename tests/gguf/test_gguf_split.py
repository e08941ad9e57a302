"""Models split over several files open through any part, and only when the parts belong together."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from helpers.gguf_bytes import T_F32, Image, i32_entry, info, u16_entry, u32_entry

from rushlight.errors import InvalidFile, ModelNotFound
from rushlight.gguf import open_gguf


def part(
    no: int, count: int, names: list[str], total: int | None = None, extra: list[bytes] | None = None
) -> Image:
    return Image(
        entries=[
            u16_entry("split.no", no),
            u16_entry("split.count", count),
            *([] if total is None else [i32_entry("split.tensors.count", total)]),
            *(extra or []),
        ],
        infos=[info(name, (1,), T_F32, 32 * i) for i, name in enumerate(names)],
        data=b"".join(struct.pack("<f", float(name[1:])) + bytes(28) for name in names),
    )


def write_parts(folder: Path, parts: list[Image]) -> list[Path]:
    paths = [folder / f"model-{i + 1:05d}-of-{len(parts):05d}.gguf" for i in range(len(parts))]
    for path, image in zip(paths, parts, strict=True):
        path.write_bytes(image.build())
    return paths


def whole() -> list[Image]:
    first = part(0, 3, ["t0", "t1"], 4, [u32_entry("llama.block_count", 7)])
    return [first, part(1, 3, ["t2"], 4), part(2, 3, ["t3"], 4)]


@pytest.mark.parametrize("named", [0, 1, 2])
def test_any_part_opens_the_model(tmp_path: Path, named: int) -> None:
    paths = write_parts(tmp_path, whole())
    with open_gguf(paths[named]) as file:
        assert file.path == paths[named] and file.paths == tuple(paths)
        assert {name: t.raw.view("<f4").item() for name, t in file.tensors.items()} == {
            "t0": 0.0, "t1": 1.0, "t2": 2.0, "t3": 3.0,
        }  # fmt: skip
        assert file.metadata["llama.block_count"] == 7
        assert file.n_bytes == sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize("count", [0, 1])
def test_a_count_of_none_or_one_is_a_whole_model(tmp_path: Path, count: int) -> None:
    path = tmp_path / "merged.gguf"
    path.write_bytes(part(0, count, ["t0"], 1).build())
    with open_gguf(path) as file:
        assert list(file.tensors) == ["t0"] and file.paths == (path,)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    paths = write_parts(tmp_path, whole())
    paths[1].unlink()
    with pytest.raises(ModelNotFound, match=r"model-00002-of-00003\.gguf"):
        open_gguf(paths[0])


def test_a_part_under_another_name(tmp_path: Path) -> None:
    paths = write_parts(tmp_path, whole())
    with pytest.raises(InvalidFile, match="split over 3 files, but its name does not say so"):
        open_gguf(paths[0].rename(tmp_path / "model.gguf"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.__setitem__(1, part(2, 3, ["t2"], 4)), "part 3 of 3; expected part 2 of 3"),
        (lambda p: p.__setitem__(1, part(1, 2, ["t2"], 4)), "part 2 of 2; expected part 2 of 3"),
        (lambda p: p.__setitem__(1, Image(infos=p[1].infos, data=p[1].data)), "split.count is missing"),
        (lambda p: p.__setitem__(1, part(1, 3, ["t0"], 4)), "'t0' is in both"),
        (
            lambda p: p.__setitem__(0, part(0, 3, ["t0", "t1"], 5)),
            "promises 5 tensors over 3 files, which hold 4",
        ),
        (lambda p: p.__setitem__(0, part(0, 3, ["t0", "t1"], -1)), "split.tensors.count is -1"),
    ],
)
def test_parts_that_do_not_belong_together(tmp_path: Path, change, message: str) -> None:
    parts = whole()
    change(parts)
    with pytest.raises(InvalidFile, match=message):
        open_gguf(write_parts(tmp_path, parts)[0])
