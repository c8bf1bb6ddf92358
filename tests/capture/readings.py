"""How a test makes readings of the probe's status, and a window of load out of two of them.

A module of its own because the parts of a window are tested apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.capture.differences import load_window
from harness.capture.growth import Json
from harness.capture.histogram import Histogram
from harness.capture.windows import ClientWindow, LoadWindow, PoolWindow, RouteWindow
from harness.findings import SourceLine

SECONDS = 10.0
LINE = {"path": "shop/orders.py", "line": 12, "function": "orders"}
SITE = SourceLine("shop/orders.py", 12, "orders")


def client(requests: int = 100, *, users: int = 8) -> ClientWindow:
    """What the generator saw: good answers."""
    nothing = Histogram().distribution()
    return ClientWindow(users, requests, requests, 0, 0, 0, 0, nothing)


def window(
    before: Mapping[int, Json],
    after: Mapping[int, Json],
    *,
    at_rest: Mapping[int, Json] | None = None,
) -> LoadWindow:
    """Of a stretch of ten seconds."""
    return load_window(
        seconds=SECONDS, client=client(), before=before, after=after, at_rest=at_rest or {}
    )


def times(*seconds: float) -> Json:
    """A histogram as the status has it."""
    histogram = Histogram()
    for item in seconds:
        histogram.add(item)
    return histogram.as_json()


def status(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """A process that has done nothing but what is named."""
    return {
        "boot_id": "first",
        "uptime_seconds": 60.0,
        "cpu_seconds": 0.0,
        "routes": {},
        "pools": [],
        "outstanding": [],
        "loop": {"lag": times(), "stalls": []},
        "threads": None,
        **parts,
    }


def pool(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """A pool of 3 + 1 that nobody has used but in what is named."""
    counts = ("checkouts", "timeouts", "creations", "open", "reclaimed", "checked_out", "waiting")
    return {
        **dict.fromkeys(counts, 0),
        "name": "pool 1",
        "size": 3,
        "max_overflow": 1,
        "timeout_seconds": 30.0,
        "checked_out_at": {},
        "waiting_at": {},
        "waiting_seconds": 0.0,
        "wait": times(),
        "hold": times(),
        "busy_seconds": 0.0,
        **parts,
    }


def route(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """A route that has done nothing but what is named."""
    counts = ("requests", "statements", "active", "shared_sessions")
    return {
        **dict.fromkeys(counts, 0),
        "statuses": {},
        "seconds": times(),
        "concurrency": {},
        "wait": times(),
        "hold": times(),
        "busy_seconds": 0.0,
        "held_at_once": {},
        "endpoint": None,
        **parts,
    }


def stall(cause: str = "other", *, line: int = 12, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """Where a loop stood still."""
    return {"cause": cause, "route": "", "site": {**LINE, "line": line}, **parts}


def only_pool(told: LoadWindow) -> PoolWindow:
    (found,) = told.pools
    return found


def only_route(told: LoadWindow) -> RouteWindow:
    (found,) = told.routes
    return found
