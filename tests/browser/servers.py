"""Start a server of the course as a user would, on a free port of this machine; stop it again."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
STARTED = re.compile(r"http://127\.0\.0\.1:\d+/\S*token=\w+")
PATIENCE = 480  # seconds until a server must have said where it is


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(arguments: Sequence[str], folder: Path, cwd: Path = ROOT) -> Iterator[str]:
    """Run `python ARGUMENTS` until the block ends; lend the address it prints, token included.

    Parameters
    ----------
    folder : takes the course's cache and the learner's progress, so that no test sees another's,
        and the server's log.
    """
    environment = os.environ | {
        "COURSE_CACHE": str(folder / "cache"), "TQDM_DISABLE": "1",
        "COURSE_PROGRESS": str(folder / "progress.json"),
    }  # fmt: skip
    log = folder / "server.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=environment, stdout=stream,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield _address(process, log)
    finally:
        _stop(process)


def _address(process: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if found := STARTED.search(log.read_text()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"The server did not start:\n{log.read_text()}")


def _stop(process: subprocess.Popen) -> None:
    """End the server and the kernels it started, by their process ids."""
    if process.poll() is not None:
        return
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=10)
    for member in alive:
        member.kill()
    process.wait()
