"""Fetch the libraries of the chat page from npm, with licences, and write down what they are.

Run from anywhere, with `npm` installed: ``python scripts/vendor_web.py``. The page has no build step: files
are taken from the packages as they are. `PACKAGES` pins the versions; a test holds the files to the record.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).parents[1] / "rushlight" / "server" / "web" / "vendor"
RECORD = "vendored.json"
LANGUAGES = (
    *("bash", "c", "cmake", "cpp", "csharp", "css", "diff", "dockerfile", "elixir", "go", "haskell", "ini"),
    *(
        "java",
        "javascript",
        "json",
        "julia",
        "kotlin",
        "latex",
        "lua",
        "makefile",
        "markdown",
        "nginx",
        "perl",
    ),
    *("php", "powershell", "python", "r", "ruby", "rust", "scala", "shell", "sql", "swift", "typescript"),
    *("xml", "yaml"),
)


@dataclass(frozen=True)
class Package:
    """A package of npm, and which of its files are kept.

    Attributes:
        name: in npm's registry.
        version: exactly this one.
        folder: below the vendor folder.
        files: path in the package to the name it is kept under.
    """

    name: str
    version: str
    folder: str
    files: dict[str, str]


PACKAGES = (
    Package("marked", "18.2.1", "marked", {"lib/marked.esm.js": "marked.js", "LICENSE": "LICENSE"}),
    Package(
        "@highlightjs/cdn-assets",
        "11.12.0",
        "highlight",
        {
            "es/core.min.js": "core.js",
            "LICENSE": "LICENSE",
            **{f"es/languages/{name}.min.js": f"languages/{name}.js" for name in LANGUAGES},
        },
    ),
    Package(
        "temml",
        "0.13.5",
        "temml",
        {
            "dist/temml.mjs": "temml.js",
            "dist/Temml-Local.css": "temml.css",
            "dist/Temml.woff2": "Temml.woff2",
            "LICENSE": "LICENSE",
        },
    ),
)


def fetch(package: Package, folder: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """A package's facts for the record, and its kept files by name."""
    wanted = f"{package.name}@{package.version}"
    command = ["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", str(folder), wanted]
    (packed,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    with tarfile.open(folder / packed["filename"]) as archive:

        def read(path: str) -> bytes:
            member = archive.extractfile(f"package/{path}")
            assert member is not None, path
            return member.read()

        manifest = json.loads(read("package.json"))
        facts = {
            "name": package.name,
            "version": packed["version"],
            "licence": manifest["license"],
            "homepage": manifest["homepage"],
            "integrity": packed["integrity"],
        }
        return facts, {kept: read(path) for path, kept in package.files.items()}


def main() -> None:
    """Write the vendor folder anew."""
    record = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            facts, files = fetch(package, Path(folder))
        hashes = {}
        for name, data in sorted(files.items()):
            path = TARGET / package.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            hashes[f"{package.folder}/{name}"] = hashlib.sha256(data).hexdigest()
        record.append({**facts, "sha256": hashes})
    (TARGET / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
