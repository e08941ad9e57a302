"""A program's time to its first byte and its peak memory: ``python first_byte.py PROGRAM ARGUMENT...``.

A process of its own and small, because a child's peak counts what its parent had when it was forked. Prints
JSON: ``first_word`` (seconds), ``peak_bytes``, ``code`` (how the program ended) and ``wrote`` (whether it
wrote anything).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> None:
    start = time.perf_counter()
    process = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    byte = process.stdout.read(1)
    seconds = time.perf_counter() - start
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found = {"first_word": seconds, "peak_bytes": peak, "code": process.returncode, "wrote": bool(byte)}
    print(json.dumps(found))


main()
