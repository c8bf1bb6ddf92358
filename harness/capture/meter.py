"""Counts for a process that runs for long: per route and per pool, in constant memory.

Where the recorder keeps what happened, the meter keeps how often and how long. Everything only ever
grows, so that a reader who missed a sample takes the difference of two.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from harness.capture.counting import CountingListener
from harness.capture.guard import Guard
from harness.capture.histogram import Histogram
from harness.capture.pool import PoolListener, PoolState
from harness.capture.recording import Checkout
from harness.capture.requests import ActiveRequest, RequestTracker

__all__ = ["Meter"]

SCHEMA_VERSION = 1


@dataclass(slots=True, eq=False)
class _Route:
    requests: int = 0
    statements: int = 0
    round_trips: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=Histogram)


@dataclass(slots=True, eq=False)
class _Pool:
    state: PoolState
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)


@dataclass(slots=True, eq=False)
class Meter:
    """Counts requests, statements and checkouts of the process."""

    tracker: RequestTracker
    _boot_id: str = field(default_factory=lambda: secrets.token_hex(8))
    _started_seconds: float = field(default_factory=perf_counter)
    _routes: dict[str, _Route] = field(default_factory=dict)
    _pools: dict[str, _Pool] = field(default_factory=dict)
    _listener: PoolListener = field(init=False)
    _unattributed: int = 0
    _guard: Guard = field(default_factory=Guard)

    def __post_init__(self) -> None:
        self._listener = PoolListener(self, guard=self._guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(self._listener.listening())
            stack.enter_context(CountingListener(self._count, guard=self._guard).listening())
            stack.enter_context(self.tracker.observed_by(self))
            yield

    def _count(self, request: ActiveRequest | None, is_statement: bool) -> None:  # noqa: FBT001
        """Add a round trip to its request."""
        if request is None:
            self._unattributed += is_statement
        else:
            request.statements += is_statement
            request.round_trips += 1

    def on_request(self, request: ActiveRequest) -> None:
        """Add a request to its route."""
        with self._guard.watching():
            self._add(request)

    def _add(self, request: ActiveRequest) -> None:
        route = self._routes.setdefault(f"{request.method} {request.route}", _Route())
        route.requests += 1
        route.statements += request.statements
        route.round_trips += request.round_trips
        route.statuses[str(request.status or "raised")] += 1
        route.seconds.add(perf_counter() - request.started_seconds)

    def on_checkout(self, checkout: Checkout) -> None:
        """Add a checkout to its pool."""
        pool = self._pools.get(checkout.pool)
        if pool is None:
            state = next(item for item in self._listener.pools if item.name == checkout.pool)
            pool = self._pools[checkout.pool] = _Pool(state)
        pool.wait.add(checkout.wait_seconds)
        pool.hold.add(checkout.hold_seconds)

    def on_pool_timeout(self, pool: PoolState, waited_seconds: float) -> None:
        """The time spent in vain is a wait too."""
        known = self._pools.setdefault(pool.name, _Pool(pool))
        known.wait.add(waited_seconds)

    def status(self) -> dict[str, Any]:
        """The counts as JSON-ready values; see ``docs/reference/status.md`` for each field."""
        return {
            "schema_version": SCHEMA_VERSION,
            "pid": os.getpid(),
            "boot_id": self._boot_id,
            "uptime_seconds": perf_counter() - self._started_seconds,
            "routes": {name: _route_json(route) for name, route in sorted(self._routes.items())},
            "pools": [self._pool_json(state) for state in self._listener.pools],
            "unattributed_statements": self._unattributed,
            "failure": self._guard.failure,
        }

    def _pool_json(self, state: PoolState) -> dict[str, Any]:
        pool = self._pools.get(state.name) or _Pool(state)
        return {
            "name": state.name,
            "size": state.size,
            "max_overflow": state.max_overflow,
            "timeout_seconds": state.timeout_seconds,
            "checkouts": state.checkouts,
            "timeouts": state.timeouts,
            "creations": state.creations,
            "checked_out": state.checked_out,
            "peak_checked_out": state.peak_checked_out,
            "waiting": state.waiting,
            "peak_waiting": state.peak_waiting,
            "wait": pool.wait.as_json(),
            "hold": pool.hold.as_json(),
        }


def _route_json(route: _Route) -> dict[str, Any]:
    return {
        "requests": route.requests,
        "statements": route.statements,
        "round_trips": route.round_trips,
        "statuses": dict(route.statuses),
        "seconds": route.seconds.as_json(),
    }
