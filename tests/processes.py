"""Programs that a test starts, interrupts or kills, and whatever is left of them afterwards.

What a program has started inherits a tag in its environment. A PostgreSQL has an environment of its
own; its command line names the folder of its data.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["TAG", "await_nothing_left", "await_step", "own_folder", "started", "stopped", "traces"]

TAG = "HARNESS_TEST_TAG"
_WITHIN_SECONDS = 30.0  # the reaper alone may take 7 s for a server that does not end


@contextmanager
def started(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    stdin: int | None = None,
    stderr: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, as in a terminal; the end of the block kills it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not run inside the block: it hangs, and is still there."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def await_step(process: subprocess.Popen[str], step: str) -> None:
    """Read what a program says until it says this."""
    assert process.stdout is not None
    for line in process.stdout:
        if step in line:
            return
    pytest.fail(f"the program ended before {step!r}")


def own_folder(folder: Path) -> Path:
    """Where a program puts the data of its servers, by ``TMPDIR``: their mark."""
    made = folder / "tmp"
    made.mkdir()
    made.chmod(0o777)  # the server may run as another user
    return made


def traces(tag: str, folder: Path | None) -> list[str]:
    """Commands of processes that inherited the tag, or that name the folder."""
    marks = [f"{TAG}={tag}"] + ([str(folder)] if folder is not None else [])
    return [
        command
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and entry.name != str(os.getpid())
        if (command := _command_of(entry, marks))
    ]


def await_nothing_left(tag: str, folder: Path | None) -> list[str]:
    """What is left after a few seconds' patience."""
    until = time.monotonic() + _WITHIN_SECONDS
    while (left := traces(tag, folder)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def _command_of(process: Path, marks: Sequence[str]) -> str:
    try:
        command = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        environment = process.joinpath("environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # it has ended meanwhile
    return command if any(mark in command + environment for mark in marks) else ""
