"""A target that runs already: its routes, and its side of a window as far as it can be seen.

With the token of its probe the counts of its processes are read; without, only clients and machine
tell something.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import BlindRecorderError, MisuseError, UnreachableTargetError
from harness.load.routes import Plan, plan_of
from harness.load.safety import is_this_machine
from harness.rig.machine import CpuReading, Participants, machine_window, read_cpu
from harness.rig.protocol import Stretch
from harness.statuses import statuses_behind

__all__ = ["OutsideTarget", "document_behind", "plan_behind"]

_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.05
_WHY_NO_SERVER = "its database is not ours to look into"
_NO_PLAN = "give --plan FILE: a JSON list of [route, path]"

Statuses = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Beginning:
    at_seconds: float
    cpu: CpuReading
    statuses: Statuses


@dataclass(slots=True, eq=False)
class OutsideTarget:
    """An application of which only address and perhaps the probe's token are known."""

    url: str
    token: str = field(default="", repr=False)
    _begun: _Beginning | None = None
    _participants: Participants = field(default_factory=lambda: Participants((), ()))

    def begin_window(self, generator_pids: Iterable[int]) -> None:
        """A stretch of load begins."""
        statuses = self._statuses()
        # Processes of another machine have numbers that mean nothing here.
        beside = tuple(statuses) if is_this_machine(self.url) else ()
        self._participants = Participants(tuple(generator_pids), (os.getpid(), *beside))
        self._begun = _Beginning(time.monotonic(), read_cpu(self._participants), statuses)

    def end_window(self, *, rest_seconds: float) -> Stretch:
        """A stretch of load has ended.

        Raises:
            MisuseError: None has begun.
        """
        begun, self._begun = self._begun, None
        if begun is None:
            raise MisuseError("no window has begun", remedy="begin one before it is ended")
        seconds = time.monotonic() - begun.at_seconds
        cpu = read_cpu(self._participants)
        after = self._statuses()
        return Stretch(
            seconds=seconds,
            server=None,
            why_no_server=_WHY_NO_SERVER,
            machine=machine_window(begun.cpu, cpu),
            before=begun.statuses,
            after=after,
            at_rest=self._at_rest(after, rest_seconds) if rest_seconds else {},
            unreadable={},
            series=(),
        )

    def _at_rest(self, last: Statuses, rest_seconds: float) -> Statuses:
        until_seconds = time.monotonic() + rest_seconds
        while _is_out(last) and time.monotonic() < until_seconds:
            time.sleep(_POLL_SECONDS)
            last = self._statuses()
        return last

    def _statuses(self) -> Statuses:
        if not self.token:
            return {}
        try:
            return statuses_behind(self.url, self.token)
        except (UnreachableTargetError, BlindRecorderError):
            return {}


def plan_behind(url: str) -> Plan:
    """The routes of an application that need no value, as its OpenAPI document tells them.

    Args:
        url: Where it answers.

    Raises:
        MisuseError: There is no such document, or nothing in it.
    """
    plan = plan_of(document_behind(url))
    if not plan:
        raise MisuseError(
            f"no routes to request: {_document(url)} has no GET without a value", remedy=_NO_PLAN
        )
    return plan


def document_behind(url: str) -> Mapping[str, Any]:
    """The OpenAPI document of an application.

    Args:
        url: Where it answers.

    Raises:
        MisuseError: There is none.
    """
    address = _document(url)
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - the target, which is loaded anyway
            document: Mapping[str, Any] = json.load(answer)
    except (OSError, ValueError) as error:
        what = f"no routes to request: {address} cannot be read ({error})"
        raise MisuseError(what, remedy=_NO_PLAN) from error
    return document


def _document(url: str) -> str:
    return f"{url.rstrip('/')}/openapi.json"


def _is_out(statuses: Statuses) -> bool:
    pools = (pool for status in statuses.values() for pool in status["pools"])
    return any(pool["checked_out"] for pool in pools)
