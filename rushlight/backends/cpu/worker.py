"""A process that compiles: it reads jobs from standard input and answers on standard output.

A job is a line of JSON, ``{"kernel": NAME, "target": NAME, "formats": [NAME, ...]}``. The answer is a line of
JSON, ``{"sizes": [...]}``, then the object files one behind the other; or ``{"error": TEXT}``. The end of the
input ends the process.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from typing import Any, BinaryIO

from rushlight.backends.cpu.target import Target


def compile_objects(kernel: str, target: Target, formats: list[str]) -> list[bytes]:
    """The object file of a kernel in each of several formats; it is lowered once."""
    from rushlight.backends.cpu.compiler import emit_kernel, lower_kernel

    lowered = lower_kernel(kernel, target)
    return [emit_kernel(kernel, lowered, target, format) for format in formats]


def _target(fields: dict[str, Any]) -> Target:
    """A target that has been through JSON, which knows no tuples."""
    tuples = {name: tuple(fields[name]) for name in ("needs", "formats")}
    return Target(**{**fields, **tuples})


def _answer(output: BinaryIO, header: dict[str, Any], objects: list[bytes]) -> None:
    output.write(json.dumps(header).encode() + b"\n" + b"".join(objects))
    output.flush()


def serve() -> None:
    """Answer jobs until the input ends."""
    # Ctrl-C reaches every process of a terminal; this one ends when its parent closes the pipe or kills it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(100_000)  # a compiler makes many objects and little garbage: a tenth of its time
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything else prints must not get between answers
    for line in sys.stdin.buffer:
        job = json.loads(line)
        try:
            objects = compile_objects(job["kernel"], _target(job["target"]), job["formats"])
        except Exception as error:
            _answer(output, {"error": f"{type(error).__name__}: {error}"}, [])
        else:
            _answer(output, {"sizes": [len(code) for code in objects]}, objects)
