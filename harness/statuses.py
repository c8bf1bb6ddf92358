"""Reads the probe's counts of every process of an application.

Each process counts for itself, and whoever asks at the common port gets one of them. Where the
harness serves the application each process has an address of its own; where somebody else does,
this module asks at the common port, each time with a new connection, until no process is new.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.middleware import STATUS_PATH

__all__ = ["read_status", "statuses_behind"]

_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 1.0
_FEWEST_QUESTIONS = 20
_MOST_SECONDS = 15.0


def read_status(url: str, token: str, *, wait_seconds: float = _ANSWER_SECONDS) -> dict[str, Any]:
    """The counts of the process that answers.

    Args:
        url: Of the application, ``http://127.0.0.1:8000``.
        token: Opens the status.
        wait_seconds: How long the process may take.

    Raises:
        UnreachableTargetError: If it does not answer.
        BlindRecorderError: If the probe itself failed.
    """
    request = urllib.request.Request(  # noqa: S310 - http, an address of the user's own
        url + STATUS_PATH, headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=wait_seconds) as answer:  # noqa: S310 - as above
            status: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UnreachableTargetError(
            f"the served application does not tell its status: {error}"
        ) from error
    if status["failure"]:
        raise BlindRecorderError(
            "the probe of the served application failed; its counts are too low",
            where=status["failure"],
            remedy="this is a fault of the harness, not of the application: please report it",
        )
    return status


def statuses_behind(
    url: str, token: str, *, quiet_seconds: float = _QUIET_SECONDS
) -> Mapping[int, dict[str, Any]]:
    """The counts of all processes behind one port, by process id.

    The kernel chooses who answers, so nobody can tell how many there are: a process that was busy
    all the time is missing.

    Args:
        url: Of the application.
        token: Opens the status.
        quiet_seconds: How long no process may have been new, before these are all.

    Raises:
        UnreachableTargetError: If nobody answers.
        BlindRecorderError: If a probe failed.
    """
    seen: dict[int, dict[str, Any]] = {}
    began_seconds = new_seconds = time.monotonic()
    questions = 0
    while True:
        status = read_status(url, token)  # urllib keeps no connection: each is a new one
        now_seconds = time.monotonic()
        if status["pid"] not in seen:
            new_seconds = now_seconds
        seen[status["pid"]] = status
        questions += 1
        is_quiet = now_seconds - new_seconds > quiet_seconds and questions >= _FEWEST_QUESTIONS
        if is_quiet or now_seconds - began_seconds > _MOST_SECONDS:
            return seen
