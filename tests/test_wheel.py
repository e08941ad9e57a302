"""A wheel with machine code in it: installed on a machine that has no compiler, it runs a model."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rushlight.backends.cpu.archive import archive_name, write_archive
from rushlight.backends.cpu.needs import likely_kernels
from rushlight.backends.cpu.object_cache import code_key
from rushlight.backends.cpu.object_formats import host_format
from rushlight.backends.cpu.objects import obtain_objects
from rushlight.backends.cpu.runtime import TEAM_KERNELS
from rushlight.backends.cpu.target import detect_target
from rushlight.gguf import GGMLType

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "data" / "tiny" / "llama-f32.gguf"
RUN = """
import sys
compilers = ("numba", "llvmlite") if sys.platform == "linux" else ("numba",)
sys.modules.update(dict.fromkeys(compilers))  # importing them fails
from rushlight import LLM, SamplingParams
with LLM(sys.argv[1], backend="cpu") as llm:
    out = llm.generate([1, 2, 3], SamplingParams(max_tokens=4, temperature=0, ignore_eos=True))
import rushlight
print(rushlight.__file__, len(out.token_ids))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, with the code of this machine's target for float32 models."""
    pytest.importorskip("hatchling", reason="the package that builds the wheel is not installed")
    pytest.importorskip("pip", reason="pip is not installed")
    target = detect_target().target
    if target is None:
        pytest.skip("no kernels run on this processor")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__", "shipped")
    shutil.copytree(ROOT / "rushlight", source / "rushlight", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    objects = obtain_objects({*likely_kernels([GGMLType.F32]), *TEAM_KERNELS}, target)
    shipped = source / "rushlight" / "backends" / "cpu" / "shipped"
    write_archive(shipped / archive_name(target, host_format()), objects, code_key(target, host_format()))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_it_is_for_every_machine_and_carries_code(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if name.endswith(".a")]
        assert not [name for name in archive.namelist() if "tests/" in name or "__pycache__" in name]


def test_installed_without_a_compiler_it_runs_a_model(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    say = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", say], capture_output=True, text=True, check=True).stdout.strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # What Rushlight depends on is seen where these tests have it.
    (Path(packages) / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    home = tmp_path / "home"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"RUSHLIGHT_HOME": str(home)}
    run = subprocess.run(
        [python, "-c", RUN, str(TINY)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    path, n_tokens = run.stdout.split()
    assert Path(path).is_relative_to(packages)
    assert n_tokens == "4"
    assert not list(home.glob("kernels/*/*.o"))


def test_the_page_is_in_the_wheel(wheel: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rushlight" / "server" / "web").rglob("*")
        if path.is_file()
    }
    assert "rushlight/server/web/index.html" in files
    with zipfile.ZipFile(wheel) as archive:
        assert files <= set(archive.namelist())
