"""An application that somebody else has started: under ``uvicorn --workers``, behind one port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.asgi.server import bound_socket

__all__ = ["TOKEN", "uvicorn"]

TOKEN = "secret"
# As a user has it: the probe inside the application, and uvicorn with workers of its own.
_APPLICATION = """
from fastapi import FastAPI
from harness.middleware import Probe

app = FastAPI()
app.add_middleware(Probe)


@app.get("/tags")
async def tags():
    return []
"""


@contextmanager
def uvicorn(folder: Path, *, workers: int) -> Iterator[tuple[str, set[int]]]:
    """Its address and its processes, as its own log tells them."""
    (folder / "strangers_app.py").write_text(_APPLICATION, encoding="utf-8")
    with bound_socket("127.0.0.1", 0) as listener:
        command = ["-m", "uvicorn", "strangers_app:app", "--fd", str(listener.fileno())]
        # Else a worker that a test stops is replaced after 5 s.
        patience = ["--timeout-worker-healthcheck", "120"]
        process = subprocess.Popen(
            [sys.executable, *command, "--workers", str(workers), *patience],
            cwd=folder,
            env={**os.environ, "HARNESS_TOKEN": TOKEN},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}", _started(process, workers)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate()


def _started(process: subprocess.Popen[str], count: int) -> set[int]:
    """From what uvicorn logs: ``Started server process [4711]``, and that it is ready."""
    pids: set[int] = set()
    ready, is_listening = 0, False
    assert process.stderr is not None
    for line in process.stderr:
        if "Started server process" in line:
            pids.add(int(line.partition("[")[2].partition("]")[0]))
        ready += "Application startup complete" in line
        is_listening |= "Uvicorn running on" in line  # of a single process: only after start-up
        if ready == count and is_listening:
            return pids
    pytest.fail("uvicorn ended")
