"""Reads the probe's counts of every process of an application.

Each process counts for itself, and whoever asks at the common port gets one of them. Where the
harness serves the application each process has an address of its own; where somebody else does,
this module asks at the common port, with a new connection for each question, until no process is
new.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from harness.errors import BlindRecorderError, HarnessError, UnreachableTargetError
from harness.load.sending import opened
from harness.middleware import STATUS_PATH

__all__ = ["Told", "read_status", "told_at", "told_behind", "told_by"]

_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 1.0
_AT_ONCE = 8
"""Each on a connection of its own (urllib keeps none): that all of them go to the one of two
processes that hangs is one case of 256."""
_PAUSE_SECONDS = 0.05
"""Between rounds, because users may be loading meanwhile."""
_FEWEST_QUESTIONS = 20
_MOST_SECONDS = 15.0
_NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""The probe says 404 to a token that does not fit; without one, whatever the application says to
everybody may come first."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the processes of an application told at one moment."""

    statuses: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """By process id."""
    silent: Mapping[int | None, HarnessError] = field(default_factory=dict)
    """Why others told nothing, by process id; None for whoever should have answered at a port that
    several share."""
    is_without_probe: bool = False
    """Whether somebody answered that there is no status: no probe, or another token opens it."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Who answered, and what."""

    pid: int | None
    told: dict[str, Any] | HarnessError
    """The status; or an error that nobody has raised: one that was keeps frames and sockets."""
    is_missing: bool = False


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
    told = _asked(url, token, wait_seconds).told
    if isinstance(told, HarnessError):
        raise told
    return told


def told_at(urls: Mapping[int, str], token: str, *, wait_seconds: float = _ANSWER_SECONDS) -> Told:
    """The counts of processes that have an address each; all are asked at once.

    Args:
        urls: By process id; at least one.
        token: Opens the status.
        wait_seconds: How long each may take.
    """
    with ThreadPoolExecutor(max_workers=len(urls)) as threads:
        asked = threads.map(lambda url: _asked(url, token, wait_seconds), urls.values())
        return _told(dict(zip(urls, asked, strict=True)))


def told_behind(
    url: str,
    token: str,
    *,
    quiet_seconds: float = _QUIET_SECONDS,
    wait_seconds: float = _ANSWER_SECONDS,
) -> Told:
    """The counts of the processes behind one port.

    The kernel chooses who answers, so nobody can tell how many there are: a process that was busy
    all the time is missing. Where each has a queue of its own at the port (``SO_REUSEPORT``), a
    question that went to it is not answered.

    Args:
        url: Of the application.
        token: Opens the status.
        quiet_seconds: How long no process may have been new, before these are all.
        wait_seconds: How long each question may take.
    """
    answers: dict[int | None, _Answer] = {}
    began_seconds = new_seconds = time.monotonic()
    questions = 0
    while True:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
            asked = [threads.submit(_asked, url, token, wait_seconds) for _ in range(_AT_ONCE)]
        now_seconds = time.monotonic()
        for answer in (each.result() for each in asked):
            if answer.pid not in answers:
                new_seconds = now_seconds
            answers[answer.pid] = answer
        questions += _AT_ONCE
        is_quiet = now_seconds - new_seconds > quiet_seconds and questions >= _FEWEST_QUESTIONS
        is_nobody_there = answers.keys() == {None}
        if is_nobody_there or is_quiet or now_seconds - began_seconds > _MOST_SECONDS:
            return _told(answers)
        time.sleep(_PAUSE_SECONDS)


def told_by(
    url: str,
    token: str,
    addresses: Mapping[int, str] = MappingProxyType({}),
    *,
    wait_seconds: float = _ANSWER_SECONDS,
) -> Told:
    """The counts of an application's processes; nothing where there is no probe.

    That there is none, or another token opens it, is no fault of a measurement: nobody is silent.

    Args:
        url: Of the application.
        token: Opens the status; empty where nobody knows it.
        addresses: Of its processes by process id, where they are known; else they are looked for.
        wait_seconds: How long each may take.
    """
    if not token:
        return Told()
    if addresses:
        told = told_at(addresses, token, wait_seconds=wait_seconds)
    else:
        told = told_behind(url, token, wait_seconds=wait_seconds)
    return Told() if told.is_without_probe and not told.statuses else told


def _told(answers: Mapping[int | None, _Answer]) -> Told:
    statuses: dict[int, dict[str, Any]] = {}
    silent: dict[int | None, HarnessError] = {}
    for pid, answer in answers.items():
        if isinstance(answer.told, HarnessError):
            silent[pid] = answer.told
        elif pid is not None:
            statuses[pid] = answer.told
    is_without_probe = any(answer.is_missing for answer in answers.values())
    return Told(statuses, silent, is_without_probe)


def _asked(url: str, token: str, wait_seconds: float) -> _Answer:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with opened(url + STATUS_PATH, wait_seconds=wait_seconds, headers=headers) as answer:
            status = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:  # it is the answer, too
            is_missing = error.code in _NOT_THERE
            return _Answer(None, _untold(str(error)), is_missing)
    except (OSError, http.client.HTTPException) as error:
        is_late = isinstance(getattr(error, "reason", error), TimeoutError)
        return _Answer(None, _untold(f"timed out after {wait_seconds:g} s" if is_late else error))
    except ValueError as error:
        return _Answer(None, _untold(error), is_missing=True)
    if not isinstance(status, dict) or not status.keys() >= {"pid", "failure"}:
        return _Answer(None, _untold("what answers there is no probe"), is_missing=True)
    return _Answer(status["pid"], _blind(status["failure"]) if status["failure"] else status)


def _blind(failure: str) -> BlindRecorderError:
    return BlindRecorderError(
        "the probe of the served application failed; its counts are too low",
        where=failure,
        remedy="this is a fault of the harness, not of the application: please report it",
    )


def _untold(why: object) -> UnreachableTargetError:
    return UnreachableTargetError(f"the served application does not tell its status: {why}")
