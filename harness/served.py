"""The application, served by a process of its own that ends with the one that asked for it.

The child is ``harness serve --owned --json``: it announces itself on standard output and stops at
the end of its standard input, which the kernel brings about however the owner dies.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.errors import ServerStartError, UnreachableTargetError
from harness.middleware import STATUS_PATH

__all__ = ["ServedApplication", "owned_process", "serving"]

_STOP_SECONDS = 10.0
_REST_SECONDS = 5.0
_SHOWN_LINES = 6


@dataclass(frozen=True, slots=True)
class ServedApplication:
    """Where the application answers, and how to read its probe."""

    url: str
    token: str

    def status(self) -> dict[str, Any]:
        """The probe's counts.

        Raises:
            UnreachableTargetError: If it does not answer.
        """
        request = urllib.request.Request(  # noqa: S310 - http, on loopback
            self.url + STATUS_PATH, headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                status: dict[str, Any] = json.load(answer)
                return status
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise UnreachableTargetError(
                f"the served application does not tell its status: {error}"
            ) from error

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
    options: Sequence[str] = (), *, environment: dict[str, str]
) -> Iterator[ServedApplication]:
    """Serve the configured application inside the block.

    Args:
        options: Further options of ``harness serve``.
        environment: Further variables for the child, e.g. where its PostgreSQL is.

    Raises:
        ServerStartError: If it does not come up; with what it said last.
    """
    token = secrets.token_urlsafe(24)
    command = [sys.executable, "-m", "harness", "serve", "--owned", "--json", *options]
    told = {**environment, "HARNESS_TOKEN": token}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        owned_process(command, environment=told, errors_to=said.fileno()) as process,
    ):
        announcement = process.stdout.readline() if process.stdout is not None else ""
        if not announcement:
            code = process.wait()
            said.seek(0)
            raise ServerStartError(
                f"the application could not be served (exit code {code})",
                where="\n".join(said.read().strip().splitlines()[-_SHOWN_LINES:]),
                remedy="run `harness serve` to see all that it says",
            )
        yield ServedApplication(json.loads(announcement)["url"], token)


@contextmanager
def owned_process(
    command: Sequence[str],
    *,
    environment: dict[str, str],
    errors_to: int | None = None,
    output_to: int = subprocess.PIPE,
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
        start_new_session=True,
        text=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
