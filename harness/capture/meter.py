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
from pathlib import Path
from time import perf_counter
from typing import Any

from harness.capture.counting import CountingListener
from harness.capture.guard import Guard
from harness.capture.loops_watched import WatchedLoop
from harness.capture.origins import Origins
from harness.capture.outstanding import outstanding_json
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, Origin, PoolState
from harness.capture.requests import ActiveRequest, RequestTracker
from harness.capture.route_counts import RouteCounts, levels_json
from harness.capture.routing import found_by_router
from harness.capture.session_users import SessionListener
from harness.capture.source import SourceMap
from harness.capture.surroundings import Collections, cpu_seconds, versions

__all__ = ["Meter"]

SCHEMA_VERSION = 1
_MOST_PENDING = 64


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
    _entered: dict[ActiveRequest, RouteCounts] = field(default_factory=dict)
    """The requests under way whose route is known."""
    _collections: Collections = field(default_factory=Collections)
    _listener: PoolListener = field(init=False)
    _origins: Origins = field(init=False)
    _unattributed: int = 0

    def __post_init__(self) -> None:
        self._listener = PoolListener(self, guard=self.guard, watcher=self)
        self._origins = Origins(self.source)
        self.loop = WatchedLoop(self.source, self.guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(self._listener.listening())
            stack.enter_context(CountingListener(self, guard=self.guard).listening())
            stack.enter_context(SessionListener(self.on_shared, guard=self.guard).listening())
            stack.enter_context(self.tracker.observed_by(self))
            stack.enter_context(self._collections.timed())
            stack.callback(self.loop.leave)
            yield

    def on_unattributed(self, *, is_first: bool) -> None:
        """Count a statement that no request sent."""
        self._unattributed += is_first

    def on_shared(self, request: ActiveRequest) -> None:
        """Somebody else is not done with the session that a request uses."""
        request.usage.shared_sessions += 1

    def on_implicit_rollback(self, held: Held) -> None:
        """Nobody had ended the transaction."""
        if held.request is not None:
            held.request.usage.implicit_rollbacks += 1

    def on_asking(self, request: ActiveRequest | None) -> Origin:
        """A request that asks for a connection is one that others may wait for."""
        # A mount is an endpoint, too, but no route.
        if request is not None and request not in self._entered and "route" in request.scope:
            self._enter(request)
        return self._origins.here()

    def on_taken(self, held: Held) -> None:
        """Note how many connections of a pool its request has."""
        request = held.request
        if request is not None:
            usage = request.usage
            if held.held_of_pool > usage.held_at_once:
                usage.held_at_once, usage.pool = held.held_of_pool, held.pool.name
            usage.wait_seconds += held.wait_seconds

    def on_start(self, request: ActiveRequest) -> None:
        """A request that begins to answer has a route, if ever."""
        if request not in self._entered:
            self._enter(request)

    def on_request(self, request: ActiveRequest) -> None:
        """Add a request to its route."""
        try:
            seconds = (request.ended_seconds or perf_counter()) - request.started_seconds
            route = self._entered.pop(request, None)
            if route is None:
                route = self._enter(request)
                del self._entered[request]
            route.leave(request, seconds)
            if self._listener.holds_for(request):
                request.let_go()
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _enter(self, request: ActiveRequest) -> RouteCounts:
        route = self._route(request)
        self._entered[request] = route
        route.enter()
        return route

    def _route(self, request: ActiveRequest) -> RouteCounts:
        scope = request.scope
        found, included = found_by_router(scope)
        root_path, app_root_path = scope.get("root_path"), scope.get("app_root_path")
        method = scope["method"] if request.socket is None else None
        key = id(found), id(included), method, root_path, app_root_path
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._named(request), found, included
        return known[0]

    def _named(self, request: ActiveRequest) -> RouteCounts:
        name = f"{request.method} {request.route}"
        route = self._routes.get(name)
        if route is None:
            route = self._routes[name] = RouteCounts(request.scope.get("endpoint"))
        return route

    def on_return(self, held: Held, hold_seconds: float) -> None:
        """Add a checkout to its pool and its request."""
        times_seconds = held.wait_seconds, hold_seconds
        held.pool.take_back(times_seconds)
        request = held.request
        if request is not None:
            holds = request.usage.holds
            holds.append(times_seconds)
            if request.has_ended or len(holds) > _MOST_PENDING:
                self._settle(request)

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        """The time spent in vain is a wait too."""
        pool.wait.add(waited_seconds)
        if request is not None:
            request.usage.wait_seconds += waited_seconds
            request.usage.waits.append(waited_seconds)
            if len(request.usage.waits) > _MOST_PENDING:
                self._settle(request)

    def _settle(self, request: ActiveRequest) -> None:
        """What comes after its end, or before it in such numbers, the route gets at once."""
        self._route(request).take(request.usage)

    def status(self) -> dict[str, Any]:
        """The counts as JSON-ready values; see ``docs/reference/status.md`` for each field."""
        routes = sorted(self._routes.items())
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
            "outstanding": outstanding_json(self._listener.held, self._origins),
            "loop": self.loop.as_json(),
            "threads": self.loop.threads.as_json(),
            "gc_pauses": self._collections.pauses.as_json(),
            "unattributed_statements": self._unattributed,
            "failure": self.guard.failure,
        }

    def _pool_json(self, state: PoolState) -> dict[str, Any]:
        state.count_those_returned()
        state.change()  # somebody may be waiting since long ago
        return {
            "name": state.name,
            "size": state.size,
            "max_overflow": state.max_overflow,
            "timeout_seconds": state.timeout_seconds,
            "checkouts": state.checkouts,
            "timeouts": state.timeouts,
            "creations": state.creations,
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
