"""What the requests to a route did between two readings, in all processes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.growth import Json
from harness.capture.histogram import Histogram
from harness.capture.traffic import Distribution
from harness.checks.load.nesting import connections_without_deadlock, nesting
from harness.findings import Verdict
from tests.capture.readings import LINE, SITE, only_route, pool, route, status, times, window

FEW = st.integers(0, 5)
DURATIONS = st.floats(1e-7, 100)

Group = list[dict[str, Any]]
"""Requests that are under way at the same time."""

REQUESTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([200, 404, 500, 502, 503, None]),
        "statements": FEW,
        "seconds": DURATIONS,
        "busy_seconds": DURATIONS,
        "held": st.tuples(st.sampled_from(["pool 1", "pool 2"]), FEW),
        "holds": st.lists(st.tuples(DURATIONS, DURATIONS), max_size=3),
        "waits": st.lists(DURATIONS, max_size=2),
        "shared": FEW,
    }
)
GROUPS = st.lists(st.lists(REQUESTS, min_size=1, max_size=4), max_size=4)


def told_of(groups: Sequence[Group]) -> Json:
    """A process to which these requests have come, one group after the other."""
    requests = [request for group in groups for request in group]
    statuses = Counter(str(request["status"] or "raised") for request in requests)
    levels = Counter(str(level + 1) for group in groups for level in range(len(group)))
    held: dict[str, Counter[str]] = {}
    for pool_name, connections in (request["held"] for request in requests):
        if connections:
            held.setdefault(pool_name, Counter())[str(connections)] += 1
    holds = [hold for request in requests for hold in request["holds"]]
    waits = [wait for request in requests for wait in request["waits"]]
    counted = route(
        requests=len(requests),
        statements=sum(request["statements"] for request in requests),
        statuses=dict(statuses),
        seconds=times(*(request["seconds"] for request in requests)),
        concurrency=dict(levels),
        wait=times(*(wait for wait, _ in holds), *waits),
        hold=times(*(hold for _, hold in holds)),
        busy_seconds=sum(request["busy_seconds"] for request in requests),
        held_at_once={name: dict(levels) for name, levels in held.items()},
        shared_sessions=sum(request["shared"] for request in requests),
    )
    return status(routes={"GET /": counted} if groups else {})


@given(first=GROUPS, second=GROUPS)
def test_what_is_told_is_what_was_recorded_between(first: list[Group], second: list[Group]) -> None:
    told = window({1: told_of(first)}, {1: told_of([*first, *second])}).routes

    requests = [request for group in second for request in group]
    if not requests:
        assert told == ()
        return
    (route,) = told
    statuses = Counter(request["status"] for request in requests)
    assert route.requests == len(requests)
    assert route.statements == sum(request["statements"] for request in requests)
    assert route.errors == statuses[500] + statuses[502] + statuses[None]
    assert route.shed == statuses[503]
    assert route.shared_sessions == sum(request["shared"] for request in requests)
    assert route.peak_concurrency == max(len(group) for group in second)
    assert route.held_at_once == max(request["held"][1] for request in requests)
    assert bool(route.pool) == (route.held_at_once > 0)
    assert route.busy_seconds == pytest.approx(
        sum(request["busy_seconds"] for request in requests), abs=1e-6
    )
    holds = [hold for request in requests for hold in request["holds"]]
    waits = [wait for request in requests for wait in request["waits"]]
    same_as(route.seconds, [request["seconds"] for request in requests])
    same_as(route.hold, [hold for _, hold in holds])
    same_as(route.wait, [*waits, *(wait for wait, _ in holds)])


def test_processes_add_up_and_peaks_do_not() -> None:
    asked: dict[str, Any] = {"status": 200, "statements": 2, "seconds": 0.1, "busy_seconds": 0.0}
    asked |= {"holds": [(0.1, 0.2)], "waits": [], "shared": 0}
    shallow: Group = [{**asked, "held": ("pool 1", 1)}] * 3
    deep: Group = [{**asked, "held": ("pool 2", 4)}] * 2
    after = {1: told_of([shallow]), 2: told_of([deep])}

    told = only_route(window({1: status(), 2: status()}, after))

    assert (told.requests, told.statements, told.hold.count) == (5, 10, 5)
    assert (told.peak_concurrency, told.held_at_once, told.pool) == (3, 4, "pool 2")


def test_a_route_that_nobody_requested_is_left_out() -> None:
    told_before = {1: status(routes={"GET /": route(requests=5)})}

    assert window(told_before, told_before).routes == ()


def test_a_request_that_is_under_way_all_the_time_is_there() -> None:
    hanging = {1: status(routes={"GET /": route(active=3, concurrency={"3": 1, "9": 1})})}

    told = only_route(window(hanging, hanging))

    assert (told.requests, told.peak_concurrency, told.pool) == (0, 3, "")


def test_what_was_held_at_once_before_is_not_held_now() -> None:
    first = route(requests=1, held_at_once={"pool 1": {"3": 1}})
    second = {**first, "requests": 2}

    told = only_route(
        window({1: status(routes={"GET /": first})}, {1: status(routes={"GET /": second})})
    )

    assert (told.requests, told.held_at_once, told.pool) == (1, 0, "")


def test_the_endpoint_is_a_line() -> None:
    after = {
        1: status(routes={"GET /": route(requests=1)}),
        2: status(routes={"GET /": route(requests=1, endpoint=LINE)}),
    }

    told = only_route(window({1: status(), 2: status()}, after))

    assert told.endpoint == SITE


def test_routes_that_nest_in_different_processes_share_a_pool_for_the_checks() -> None:
    # Four of each at once and three connections each: one process may get all eight.
    deep = route(requests=4, held_at_once={"pool 1": {"3": 4}}, concurrency={"4": 1})
    after = {
        1: status(pools=[pool(checkouts=12, size=10, max_overflow=0)], routes={"GET /a": deep}),
        2: status(pools=[pool(checkouts=12, size=10, max_overflow=0)], routes={"GET /b": deep}),
    }

    told = window({1: status(), 2: status()}, after)

    assert connections_without_deadlock(told) == 8 * 2 + 1
    assert nesting(told).verdict.verdict is Verdict.FAIL


def same_as(told: Distribution, recorded: list[float]) -> None:
    """Counts are exact, and the longest is at most a fifth too long."""
    expected = Histogram()
    for seconds in recorded:
        expected.add(seconds)
    exact = expected.distribution()

    assert (told.count, told.counts, told.bounds_seconds) == (
        exact.count,
        exact.counts,
        exact.bounds_seconds,
    )
    assert told.mean_seconds == pytest.approx(exact.mean_seconds, abs=1e-6)
    assert exact.max_seconds <= told.max_seconds * (1 + 1e-9)
    assert told.max_seconds <= max(exact.max_seconds * 2**0.25 * (1 + 1e-9), 1e-6)
