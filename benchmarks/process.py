"""Other programs, run so that whatever they do ends in a result or in one line that says why not."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 600.0


class PeerError(Exception):
    """Why there is no measurement."""


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: str | None = None
) -> str:
    """The standard output of a program.

    Raises:
        PeerError: it cannot be started, fails or takes longer than `LIMIT_SECONDS`.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"took longer than {LIMIT_SECONDS:.0f} s") from error
    except OSError as error:
        raise PeerError(f"cannot be started: {error.strerror or error}") from error
    if done.returncode:
        raise PeerError(_reason(done.stderr, done.returncode))
    return done.stdout.decode(errors="replace")


_FOLDERS = re.compile(r"/(?:[^\s/]+/)+")


def _reason(errors: bytes, code: int) -> str:
    """The last line of the errors that says something, or how the program ended."""
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines()]
    telling = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    ended = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{_FOLDERS.sub('', telling[-1])[:200]} ({ended})" if telling else ended


def last_json(output: str) -> Any:
    """The JSON value on the last line of an output that may begin with other lines.

    Raises:
        PeerError: there is none.
    """
    for line in reversed(output.strip().splitlines()):
        try:
            return json.loads(line)
        except ValueError:
            continue
    raise PeerError("wrote no JSON")


def libraries(program: Path) -> dict[str, str]:
    """Where a program that was copied together with its shared libraries finds them."""
    beside = [*program.parent.glob("*.so*"), *program.parent.glob("*.dylib")]
    return (
        {"LD_LIBRARY_PATH": str(program.parent), "DYLD_LIBRARY_PATH": str(program.parent)} if beside else {}
    )
