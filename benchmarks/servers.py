"""Servers under test: started on a free port of the loopback address, waited for, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import PeerError, libraries
from rushlight.bench.serve.api import Api
from rushlight.errors import ServerFailure

START_SECONDS, STOP_SECONDS = 120.0, 60.0


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        name: in the report.
        url: where it listens.
        pid: of its process; None where it is not ours.
    """

    name: str
    url: str
    pid: int | None = None

    def resident_bytes(self) -> int | None:
        """Memory that its process has now; None where the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port of the loopback address on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def rushlight_command(file: Path, port: int, threads: int | None, n_ctx: int | None) -> list[str]:
    """``rushlight serve`` with this interpreter."""
    command = [sys.executable, "-m", "rushlight", "serve", "-m", str(file), "--port", str(port)]
    command += ["-t", str(threads)] if threads else []
    return [*command, "-c", str(n_ctx)] if n_ctx else command


def llama_command(program: Path, file: Path, port: int, threads: int, n_ctx: int, slots: int) -> list[str]:
    """llama.cpp's ``llama-server`` with as much context for each slot as the other server has."""
    sizes = ["-t", str(threads), "-tb", str(threads), "-np", str(slots), "-c", str(n_ctx * slots)]
    return [str(program), "-m", str(file), "--host", "127.0.0.1", "--port", str(port), *sizes, "--no-webui"]


@contextmanager
def started(name: str, command: Sequence[str], port: int) -> Iterator[Server]:
    """Start a server and wait until it is healthy; end it afterwards.

    Raises:
        PeerError: it cannot be started, or does not become healthy in `START_SECONDS`.
    """
    environment = {**os.environ, **libraries(Path(command[0]))}
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        except OSError as error:
            raise PeerError(f"cannot be started: {error.strerror or error}") from error
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, Api(url, timeout=5.0))
            yield Server(name, url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def limited(server: Server, seconds: float) -> Iterator[None]:
    """End the server if what is done with it takes longer, so that its clients end with errors."""
    assert server.pid is not None
    timer = threading.Timer(seconds, os.kill, (server.pid, signal.SIGTERM))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _wait(process: subprocess.Popen[bytes], api: Api) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise PeerError(f"ended with code {process.returncode} before it was healthy")
        try:
            api.get("/health")
            return
        except ServerFailure:
            time.sleep(0.1)
    raise PeerError(f"was not healthy after {START_SECONDS:.0f} s")
