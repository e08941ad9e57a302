"""An arm64 Linux without a machine: Debian's Python in a folder, wheels beside it, run by qemu's user mode.

It needs apt-get of a Debian (or a relative whose archive has arm64), qemu-user-static, and pip; no root, and
nothing outside the folder is touched. What has been fetched stays there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

QEMU = "qemu-aarch64-static"
PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
# Without Numba, as nothing is compiled there.
WHEELS = ("numpy", "llvmlite", "tokenizers", "jinja2", "markupsafe", "filelock")
PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in (17, 24, 27, 28, 31, 34)))


class Arm64:
    """The emulated system.

    Args:
        folder: where it lies; a second system in the same folder finds what the first has fetched.

    Raises:
        RuntimeError: a tool is missing, or a download fails.
    """

    def __init__(self, folder: Path) -> None:
        for tool, package in ((QEMU, "qemu-user-static"), ("apt-get", "apt"), ("dpkg", "dpkg")):
            if shutil.which(tool) is None:
                raise RuntimeError(f"{tool} is not installed; on Debian it is in the package {package}.")
        self.root, self.site, self.home = folder / "root", folder / "site", folder / "home"
        if not self.root.exists():
            self._unpack_packages(folder / "apt")
        if not self.site.exists():
            self._unpack_wheels(folder / "wheels")

    @property
    def python(self) -> Path:
        """The interpreter, an arm64 program."""
        return next(self.root.glob("usr/bin/python3.[0-9]*"))

    def run(self, arguments: Sequence[str | Path], cpu: str, path: Sequence[Path]) -> tuple[int, str]:
        """Run Python there.

        Args:
            arguments: of the interpreter.
            cpu: qemu's name of a processor.
            path: what to import from besides the wheels.

        Returns:
            The exit code, and standard output and error together.
        """
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RUSHLIGHT"))},
            "PYTHONPATH": os.pathsep.join(map(str, [*path, self.site])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RUSHLIGHT_HOME": str(self.home),
        }
        command = [QEMU, "-cpu", cpu, "-L", self.root, self.python, *arguments]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.returncode, done.stdout

    def _unpack_packages(self, apt: Path) -> None:
        """Python and all that it needs, with apt's own state in our folder."""
        for part in ("state/lists/partial", "cache/archives/partial"):
            (apt / part).mkdir(parents=True, exist_ok=True)
        (apt / "status").touch()
        settings = {
            "APT::Architecture": "arm64",
            "APT::Architectures": "arm64",
            "APT::Sandbox::User": "",
            "Dir::State": apt / "state",
            "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache",
            "Debug::NoLocking": "1",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        _check(["apt-get", *options, "update"])
        _check(
            ["apt-get", *options, "install", "-y", "--download-only", "--no-install-recommends", *PACKAGES]
        )
        unpacked = apt / "root"
        for package in sorted((apt / "cache" / "archives").glob("*.deb")):
            _check(["dpkg", "-x", package, unpacked])
        unpacked.rename(self.root)

    def _unpack_wheels(self, wheels: Path) -> None:
        platforms = [f"--platform={platform}" for platform in PLATFORMS]
        version = self.python.name.removeprefix("python")
        chosen = ["--only-binary=:all:", "--no-deps", f"--python-version={version}", *platforms]
        _check([sys.executable, "-m", "pip", "download", "--quiet", *chosen, "--dest", wheels, *WHEELS])
        unpacked = wheels / "site"
        for wheel in wheels.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
        unpacked.rename(self.site)


def _check(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
