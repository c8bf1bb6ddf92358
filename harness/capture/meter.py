"""Counts for a process that runs for long: per route and per pool, in constant memory.

Where the recorder keeps what happened, the meter keeps how often and how long. Everything only ever
grows, so that a reader who missed a sample takes the difference of two; a peak is kept as how often
each level was reached, so that even the peak of a stretch is a difference.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPMethod
from pathlib import Path
from time import perf_counter
from typing import Any

from harness.capture.counting import CountingListener
from harness.capture.guard import Guard
from harness.capture.loops_watched import WatchedLoop
from harness.capture.origins import note_line, note_owner
from harness.capture.outstanding import outstanding_json
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, PoolState
from harness.capture.requests import ActiveRequest
from harness.capture.route_counts import RouteCounts, levels_json
from harness.capture.routing import found_by_router
from harness.capture.session_users import SessionListener
from harness.capture.source import SourceMap
from harness.capture.surroundings import Collections, cpu_seconds, versions
from harness.capture.tracking import RequestTracker

__all__ = ["Meter"]

SCHEMA_VERSION = 1
_MOST_ROUTES = 1000
_FURTHER = "(further routes)"
_METHODS = frozenset(HTTPMethod)
_LONG_HOLD_SECONDS = 0.5
"""To hold a connection for so long is unusual."""


@dataclass(slots=True, eq=False)
class Meter:
    """Counts requests, statements and checkouts of the process.

    Args:
        tracker: Tells whose request it is.
        source: Tells the user's lines from others; by default the current folder is the project.
    """

    tracker: RequestTracker
    source: SourceMap = field(default_factory=lambda: SourceMap(Path.cwd()))
    guard: Guard = field(default_factory=Guard)
    """Keeps the first error of ours."""
    loop: WatchedLoop = field(init=False)
    """To be entered from the loop that requests come on."""
    _boot_id: str = field(default_factory=lambda: secrets.token_hex(8))
    _started_seconds: float = field(default_factory=perf_counter)
    _routes: dict[str, RouteCounts] = field(default_factory=dict)
    _known: dict[tuple[object, ...], tuple[RouteCounts, object, object]] = field(
        default_factory=dict
    )
    """By what a route's name is made of, which is kept alive: others could get its ids else."""
    _collections: Collections = field(default_factory=Collections)
    _listener: PoolListener = field(init=False)
    _unattributed: int = 0

    def __post_init__(self) -> None:
        self._listener = PoolListener(
            self, guard=self.guard, watcher=self, active=self.tracker.active
        )
        self.loop = WatchedLoop(self.source, self.guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(self._listener.listening())
            statements = CountingListener(self, self._listener, guard=self.guard)
            stack.enter_context(statements.listening())
            sessions = SessionListener(self.tracker.active, self.on_shared, guard=self.guard)
            stack.enter_context(sessions.listening())
            stack.enter_context(self.tracker.observed_by(self))
            stack.enter_context(self._collections.timed())
            stack.callback(self.loop.leave)
            yield

    def on_unattributed(self, *, is_first: bool) -> None:
        """Count a statement that no request sent."""
        self._unattributed += is_first

    def on_late(self, request: ActiveRequest, seconds: float, *, is_first: bool) -> None:
        """Count one of a request that has ended and been counted: a task of its own outlives it."""
        route = request.usage.route or self._route(request)
        route.statements += is_first
        route.round_trips += 1
        route.busy_seconds += seconds

    def on_shared(self, request: ActiveRequest) -> None:
        """Somebody else is not done with the session that a request uses."""
        if request.has_ended:  # a task of its own outlives it, which has been counted
            (request.usage.route or self._route(request)).shared_sessions += 1
        else:
            request.usage.shared_sessions += 1

    def on_asking(self, asking: Held) -> None:
        """A request that asks for a connection is one that others may wait for.

        Noting the line takes a fifth of all that the probe does for a request. So it is noted until
        a route has shown that its connections come back, and again from when one does not.
        """
        note_owner(asking)
        request, route = asking.request, None
        if request is not None:
            route = request.usage.route
            # A mount is an endpoint, too, but no route.
            if route is None and "route" in request.scope:
                route = self._enter(request)
        if route is None:
            note_line(asking, self.source)
        elif route.lines_wanted:
            route.lines_wanted -= 1
            note_line(asking, self.source)

    def on_taken(self, held: Held) -> None:
        """Note how many connections of a pool its request has."""
        request = held.request
        if request is not None:
            usage = request.usage
            usage.wait_seconds += held.wait_seconds
            if held.held_of_pool > usage.held_at_once:
                usage.held_at_once, usage.pool = held.held_of_pool, held.pool.name

    def on_start(self, request: ActiveRequest) -> None:
        """A request that begins to answer has a route, if ever."""
        if request.usage.route is None:
            self._enter(request)

    def on_request(self, request: ActiveRequest) -> None:
        """Add a request to its route."""
        try:
            seconds = (request.ended_seconds or perf_counter()) - request.started_seconds
            route = request.usage.route or self._enter(request)
            route.leave(request.status, seconds, request.usage)
            if request.usage.out and self._listener.held_by(request):
                route.suspect()
                request.let_go()
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _enter(self, request: ActiveRequest) -> RouteCounts:
        """Count a request as one under way; two of its threads may be here at once."""
        usage, route = request.usage, self._route(request)
        if usage.route is None:
            usage.route = route
            route.enter()
            for wait_seconds, hold_seconds in usage.checkouts:
                route.take_back(wait_seconds, hold_seconds)
            for waited_seconds in usage.waits:
                route.go_without(waited_seconds)
        return route

    def _route(self, request: ActiveRequest) -> RouteCounts:
        scope = request.scope
        found, included = found_by_router(scope)
        root_path, app_root_path = scope.get("root_path"), scope.get("app_root_path")
        method = scope["method"] if request.socket is None else None
        key = id(found), id(included), method, root_path, app_root_path
        known = self._known.get(key)
        if known is not None:
            return known[0]
        route = self._named(request, found)
        if len(self._known) < _MOST_ROUTES:
            self._known[key] = route, found, included
        return route

    def _named(self, request: ActiveRequest, found: object) -> RouteCounts:
        """By its name; clients make up methods, and mounts with parameters as many as they like."""
        method = request.method
        if request.socket is None and method not in _METHODS | set(
            getattr(found, "methods", None) or ()
        ):
            method = "OTHER"
        name = f"{method} {request.route}"
        if name not in self._routes and len(self._routes) >= _MOST_ROUTES:
            name = _FURTHER
        endpoint = request.scope.get("endpoint") if name is not _FURTHER else None
        return self._routes.setdefault(name, RouteCounts(endpoint))

    def on_return(self, held: Held, hold_seconds: float) -> None:
        """Add a checkout to its route, or keep it with its request until that has one."""
        request = held.request
        if request is None:
            return
        route = request.usage.route
        if route is None:
            request.usage.checkouts += ((held.wait_seconds, hold_seconds),)
            return
        if hold_seconds > _LONG_HOLD_SECONDS:
            route.suspect()
        route.take_back(held.wait_seconds, hold_seconds)

    def on_pool_timeout(
        self,
        pool: PoolState,  # noqa: ARG002 - as in the protocol
        waited_seconds: float,
        request: ActiveRequest | None,
    ) -> None:
        """The time spent in vain is a wait too."""
        if request is None:
            return
        usage = request.usage
        usage.wait_seconds += waited_seconds
        if usage.route is None:
            usage.waits += (waited_seconds,)
        else:
            usage.route.go_without(waited_seconds)

    def status(self) -> dict[str, Any]:
        """The counts as JSON-ready values; see ``docs/reference/status.md`` for each field."""
        routes = sorted(self._routes.items())
        self._suspect_those_who_hold()
        return {
            "schema_version": SCHEMA_VERSION,
            "pid": os.getpid(),
            "boot_id": self._boot_id,
            "uptime_seconds": perf_counter() - self._started_seconds,
            "cpu_seconds": cpu_seconds(),
            "versions": versions(),
            "active_requests": self.tracker.under_way,
            "routes": {name: route.as_json(self.source) for name, route in routes},
            "pools": [self._pool_json(state) for state in self._listener.pools],
            "outstanding": outstanding_json(self._listener.held, self.source),
            "loop": self.loop.as_json(),
            "threads": self.loop.threads.as_json(),
            "gc_pauses": self._collections.pauses.as_json(),
            "unattributed_statements": self._unattributed,
            "failure": self.guard.failure,
        }

    def _suspect_those_who_hold(self) -> None:
        long_ago_seconds = perf_counter() - _LONG_HOLD_SECONDS
        for held in self._listener.held:
            route = held.request.usage.route if held.request is not None else None
            if route is not None and held.started_seconds < long_ago_seconds:
                route.suspect()

    def _pool_json(self, state: PoolState) -> dict[str, Any]:
        state.wait_on()  # somebody may be waiting since long ago
        return {
            "name": state.name,
            "size": state.size,
            "max_overflow": state.max_overflow,
            "timeout_seconds": state.timeout_seconds,
            "checkouts": state.checkouts,
            "timeouts": state.timeouts,
            "creations": state.creations,
            "open": state.open_connections,
            "reclaimed": state.reclaimed,
            "checked_out": state.checked_out,
            "peak_checked_out": state.peak_checked_out,
            "checked_out_at": levels_json(state.checked_out_at),
            "waiting": state.waiting,
            "peak_waiting": state.peak_waiting,
            "waiting_at": levels_json(state.waiting_at),
            "waiting_seconds": state.waiting_seconds,
            "wait": state.wait.as_json(),
            "hold": state.hold.as_json(),
            "busy_seconds": state.busy_seconds,
        }
