"""Another machine's Python in a folder: Debian's packages and wheels for it, unpacked, and nothing installed.

It needs apt-get and dpkg of a Debian (or a relative whose archive has that machine), and pip; no root, and
nothing outside the folder is touched. What has been fetched stays there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PYTHON = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
# Without Numba, as nothing is compiled there.
WHEELS = ("numpy", "llvmlite", "tokenizers", "jinja2", "markupsafe", "filelock")
DEBIAN_NAMES = {"aarch64": "arm64", "x86_64": "amd64"}


def require(tools: Mapping[str, str]) -> None:
    """Raise a RuntimeError where one of some programs, named with their Debian packages, is missing."""
    for tool, package in tools.items():
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is not installed; on Debian it is in the package {package}.")


def check(command: Sequence[str | Path]) -> None:
    """Run a command; a RuntimeError says what it wrote where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


class DebianPython:
    """Python, what it needs, and wheels.

    Args:
        folder: where it lies; a second one in the same folder finds what the first has fetched.
        machine: "aarch64" or "x86_64".
        packages: further packages.

    Attributes:
        root: the packages.
        site: the wheels.

    Raises:
        RuntimeError: a tool is missing, or a download fails.
    """

    def __init__(self, folder: Path, machine: str, packages: Iterable[str] = ()) -> None:
        require({"apt-get": "apt", "dpkg": "dpkg"})
        self.root, self.site = folder / "root", folder / "site"
        if not self.root.exists():
            self._unpack_packages(folder / "apt", DEBIAN_NAMES[machine], (*PYTHON, *packages))
        if not self.site.exists():
            self._unpack_wheels(folder / "wheels", machine)

    @property
    def python(self) -> Path:
        """The interpreter, a program for that machine."""
        return next(self.root.glob("usr/bin/python3.[0-9]*"))

    def _unpack_packages(self, apt: Path, architecture: str, packages: Sequence[str]) -> None:
        """With apt's own state in our folder."""
        for part in ("state/lists/partial", "cache/archives/partial"):
            (apt / part).mkdir(parents=True, exist_ok=True)
        (apt / "status").touch()
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "",
            "Dir::State": apt / "state",
            "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache",
            "Debug::NoLocking": "1",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        check(["apt-get", *options, "update"])
        fetch = ["install", "-y", "--download-only", "--no-install-recommends"]
        check(["apt-get", *options, *fetch, *packages])
        unpacked = apt / "root"
        for package in sorted((apt / "cache" / "archives").glob("*.deb")):
            check(["dpkg", "-x", package, unpacked])
        unpacked.rename(self.root)

    def _unpack_wheels(self, wheels: Path, machine: str) -> None:
        systems = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 27, 28, 31, 34))]
        platforms = [f"--platform={system}_{machine}" for system in systems]
        version = self.python.name.removeprefix("python")
        chosen = ["--only-binary=:all:", "--no-deps", f"--python-version={version}", *platforms]
        check([sys.executable, "-m", "pip", "download", "--quiet", *chosen, "--dest", wheels, *WHEELS])
        unpacked = wheels / "site"
        for wheel in wheels.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
        unpacked.rename(self.site)


CROSS_COMPILE = """
import sys
from rushlight.backends.cpu.kernels import KERNELS
from rushlight.backends.cpu.objects import obtain_objects
from rushlight.backends.cpu.target import TARGETS
if __name__ == "__main__":
    (target,) = [target for target in TARGETS if target.name == sys.argv[1]]
    print(len(obtain_objects(KERNELS, target)))
"""
"""Puts every kernel of a target into the cache of ``RUSHLIGHT_HOME``, whatever this machine runs."""
