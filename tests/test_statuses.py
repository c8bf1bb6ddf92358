"""The counts of processes that somebody else has started, behind one port."""

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
from harness.errors import UnreachableTargetError
from harness.statuses import read_status, statuses_behind

TOKEN = "secret"
# As a user has it: the probe inside the application, and uvicorn with workers of its own.
_APPLICATION = """
from fastapi import FastAPI
from harness.middleware import Probe

app = FastAPI()
app.add_middleware(Probe)
"""


@contextmanager
def uvicorn(folder: Path, *, workers: int) -> Iterator[tuple[str, set[int]]]:
    """The address and the processes of an application under ``uvicorn --workers``."""
    (folder / "strangers_app.py").write_text(_APPLICATION, encoding="utf-8")
    with bound_socket("127.0.0.1", 0) as listener:
        command = ["-m", "uvicorn", "strangers_app:app", "--fd", str(listener.fileno())]
        process = subprocess.Popen(
            [sys.executable, *command, "--workers", str(workers)],
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


def test_workers_that_the_user_has_started_are_all_seen(tmp_path: Path) -> None:
    with uvicorn(tmp_path, workers=3) as (url, pids):
        found = statuses_behind(url, TOKEN)

    assert len(pids) == 3
    assert {pid: status["pid"] for pid, status in found.items()} == {pid: pid for pid in pids}


def test_one_process_is_seen_as_one(tmp_path: Path) -> None:
    with uvicorn(tmp_path, workers=1) as (url, _):
        found = statuses_behind(url, TOKEN, quiet_seconds=0.0)

    assert len(found) == 1


def test_nobody_behind_the_port_is_an_error() -> None:
    with bound_socket("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(UnreachableTargetError, match="does not tell its status"):
            statuses_behind(url, TOKEN)


def test_a_process_that_accepts_and_never_answers_is_given_up() -> None:
    with bound_socket("127.0.0.1", 0) as listener:
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(UnreachableTargetError, match="timed out"):
            read_status(url, TOKEN, wait_seconds=0.1)
