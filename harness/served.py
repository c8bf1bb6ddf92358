"""The application, served by a process of its own that ends with the one that asked for it.

The child is ``harness serve --owned --json``: it announces itself on standard output and stops at
the end of its standard input, which the kernel brings about however the owner dies.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, RefusedStartError, ServerStartError
from harness.output_file import output_file
from harness.statuses import read_status

__all__ = [
    "START_SECONDS",
    "ServedApplication",
    "Worker",
    "announcement_of",
    "owned_process",
    "serving",
    "why_silent",
]

START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_REST_SECONDS = 5.0
_SHOWN_LINES = 6
"""Of the end of a log, where the harness itself has not said why."""
_LAST_WORD = "harness: "
"""What the command's own last message begins with."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the processes that serve the application."""

    pid: int
    url: str
    """Where this one answers, and no other."""


@dataclass(frozen=True, slots=True)
class ServedApplication:
    """Where the application answers, and how to read its probe."""

    url: str
    token: str
    workers: tuple[Worker, ...] = ()
    """All processes; empty where they are not known."""
    log: Path | None = None
    """Where everything is written that they say, while they serve; None where it is not known."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """To send with each request, but for those to the probe."""

    def status(self) -> dict[str, Any]:
        """The probe's counts; with several processes, of whichever answers.

        Raises:
            UnreachableTargetError: If it does not answer.
            BlindRecorderError: If the probe itself failed.
        """
        return read_status(self.url, self.token)

    def statuses(self) -> dict[int, dict[str, Any]]:
        """The probe's counts in each of the processes, by process id.

        Raises:
            UnreachableTargetError: If one does not answer.
            BlindRecorderError: If a probe failed.
        """
        return {worker.pid: read_status(worker.url, self.token) for worker in self.workers}

    def status_at_rest(self) -> dict[str, Any]:
        """The counts once no connection is out any more, or after a few seconds' patience.

        Clients that stop leave requests behind that the server still works on.

        Raises:
            UnreachableTargetError: If it does not answer.
        """
        until = time.monotonic() + _REST_SECONDS
        while True:
            status = self.status()
            if not any(pool["checked_out"] for pool in status["pools"]) or time.monotonic() > until:
                return status
            time.sleep(0.05)


@contextmanager
def serving(
    options: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    start_seconds: float = START_SECONDS,
) -> Iterator[ServedApplication]:
    """Serve the configured application inside the block.

    Args:
        options: Further options of ``harness serve``.
        environment: Further variables for the child, e.g. where its PostgreSQL is.
        start_seconds: How long it may take to come up.

    Raises:
        ServerStartError: If it does not come up; with what it said last.
        RefusedStartError: If it says that configuration or application are at fault.
    """
    token = secrets.token_urlsafe(24)
    command = [sys.executable, "-m", "harness", "serve", "--owned", "--json", *options]
    told = {**environment, "HARNESS_TOKEN": token}
    with (
        output_file() as (said, log),
        owned_process(command, environment=told, errors_to=said.fileno()) as process,
    ):
        announcement = announcement_of(process, within_seconds=start_seconds)
        if announcement is None:
            why = why_silent(process, start_seconds)
            said.seek(0)
            raise _not_served(why, said.read(), is_refused=process.returncode == ExitCode.MISUSE)
        workers = tuple(Worker(item["pid"], item["url"]) for item in announcement["workers"])
        yield ServedApplication(announcement["url"], token, workers, log)


def _not_served(why: str, said: str, *, is_refused: bool) -> ServerStartError:
    """With the command's own last message whole, whose first line says what is wrong."""
    lines = said.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_LAST_WORD)]
    if is_refused and starts:
        first, *more = lines[starts[-1] :]
        what = first.removeprefix(_LAST_WORD)
        # Its remedy is among them, and reports tell the end of a `where`, which would be its slug.
        return RefusedStartError(
            f"the application could not be served: {what}", remedy="\n".join(more)
        )
    return ServerStartError(
        f"the application could not be served: it {why}",
        where="\n".join(lines[starts[-1] if starts else -_SHOWN_LINES :]),
        remedy="run `harness serve` to see all that it says",
    )


def announcement_of(
    process: subprocess.Popen[str], *, within_seconds: float
) -> dict[str, Any] | None:
    """What a served application says of itself once it answers.

    Returns:
        None if it has ended instead; one that takes too long is ended.
    """
    # A timer and not `select`: it works under gevent, too, whose pipes are objects of its own.
    late = threading.Timer(within_seconds, process.kill)
    late.daemon = True
    late.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
    finally:
        late.cancel()
    return json.loads(line) if line else None


def why_silent(process: subprocess.Popen[str], within_seconds: float) -> str:
    """Why there was no `announcement_of` a process: it ended, or was ended for taking too long."""
    code = process.wait()
    if code == -signal.SIGKILL:
        return f"did not answer within {within_seconds:g} s"
    return f"ended with exit code {code}"


@contextmanager
def owned_process(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    errors_to: int | None = None,
    output_to: int = subprocess.PIPE,
    inherits: Sequence[int] = (),
) -> Iterator[subprocess.Popen[str]]:
    """Run a child that stops at the end of its standard input.

    In a session of its own, so that Ctrl-C reaches only the owner, which ends the child in order.
    """
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        stdin=subprocess.PIPE,
        stdout=output_to,
        stderr=errors_to,
        env={**os.environ, **environment},
        pass_fds=inherits,
        start_new_session=True,
        text=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # it is gone, with something left that was for it
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
