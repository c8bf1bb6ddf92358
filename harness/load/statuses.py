"""The probe's counts of an application after a load, of all its processes together.

Under gevent: the reading itself is `harness.statuses`, whose sockets Locust has patched.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import gevent

from harness.served import ServedApplication
from harness.statuses import statuses_behind

__all__ = ["combined", "status_at_rest"]

_REST_SECONDS = 5.0
_PAUSE_SECONDS = 0.05


def status_at_rest(target: ServedApplication) -> dict[str, Any]:
    """The counts once no connection is out any more, or after a few seconds' patience.

    Clients that stop leave requests behind that the server still works on.

    Raises:
        UnreachableTargetError: If it does not answer.
        BlindRecorderError: If a probe failed.
    """
    until_seconds = time.monotonic() + _REST_SECONDS
    while True:
        statuses = _statuses(target)
        pools = [pool for status in statuses.values() for pool in status["pools"]]
        is_at_rest = not any(pool["checked_out"] for pool in pools)
        if is_at_rest or time.monotonic() > until_seconds:
            return combined(statuses.values())
        gevent.sleep(_PAUSE_SECONDS)


def combined(statuses: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts of several processes as one: routes added up, each pool by itself."""
    told = list(statuses)
    routes: dict[str, dict[str, int]] = {}
    for status in told:
        for route, counted in status["routes"].items():
            both = routes.setdefault(route, {"requests": 0, "statements": 0})
            for name in both:
                both[name] += counted[name]
    is_one = len(told) == 1
    pools = [
        pool if is_one else {**pool, "name": f"{pool['name']} of process {status['pid']}"}
        for status in told
        for pool in status["pools"]
    ]
    return {"routes": routes, "pools": pools}


def _statuses(target: ServedApplication) -> Mapping[int, Mapping[str, Any]]:
    if target.workers:
        return target.statuses()
    return statuses_behind(target.url, target.token)
