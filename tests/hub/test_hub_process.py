"""The Hub as a user meets it: the command line, a process of its own, the variables of the environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_hub import FakeHub

RUSHLIGHT = [sys.executable, "-m", "rushlight"]
PHI3 = "microsoft/Phi-3-mini-4k-instruct-gguf"
FILE = "Phi-3-mini-4k-instruct-q4.gguf"
BODY = b"GGUF" + bytes(range(256)) * 4000


def rushlight(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUSHLIGHT, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_default_model_is_pulled_and_then_needs_no_network(
    hub: FakeHub, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.repo(PHI3, {FILE: BODY, "README.md": b"x"}).refs["main"]
    run = rushlight("pull", "phi3")
    assert run.returncode == 0
    path = Path(run.stdout.strip())
    assert path.read_bytes() == BODY
    assert commit in run.stderr and "Downloading" not in run.stderr  # no bar where there is no terminal
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.requests.clear()
    assert rushlight("pull", "phi3").stdout == run.stdout
    assert f"{PHI3}/{FILE}" in rushlight("list").stdout
    missing = rushlight("pull", f"{PHI3}/other.gguf")
    assert missing.returncode == 1
    assert "HF_HUB_OFFLINE is set" in missing.stderr and FILE in missing.stderr
    assert hub.requests == []
    assert rushlight("rm", "phi3").returncode == 0
    assert not path.exists()


def test_two_processes_at_once_both_end_with_the_file(hub: FakeHub) -> None:
    hub.repo(PHI3, {FILE: BODY})
    command = [*RUSHLIGHT, "pull", "phi3"]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert Path(outputs[0][0].strip()).read_bytes() == BODY


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_an_interrupt_leaves_no_half_file(hub: FakeHub, hf_home: Path) -> None:
    hub.repo(PHI3, {FILE: BODY})
    hub.stall.clear()
    run = subprocess.Popen([*RUSHLIGHT, "pull", "phi3"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not hub.downloads() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=20)[1] == b""
    assert run.returncode == 130
    hub.stall.set()
    assert not list(hf_home.rglob("*.gguf"))
    assert rushlight("pull", "phi3").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is a Unix thing")
def test_a_terminal_shows_the_bar(hub: FakeHub) -> None:
    import pty

    hub.repo(PHI3, {FILE: BODY})
    hub.stall.clear()
    ours, theirs = pty.openpty()
    run = subprocess.Popen([*RUSHLIGHT, "pull", "phi3"], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    deadline = time.monotonic() + 30
    while not hub.downloads() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.3)  # the line appears after a second
    hub.stall.set()
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert run.wait(timeout=20) == 0
    assert f"\rDownloading {FILE} ".encode() in written
