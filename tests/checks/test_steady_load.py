"""A steady load is judged by failed answers, pool timeouts and connections that stayed out."""

from dataclasses import replace

import pytest

from harness.capture.traffic import Distribution, LoadStory, PoolRow, RouteRow
from harness.checks.steady_load import connections_returned, pool_timeouts, steady_answers
from harness.findings import Verdict

NO_TIME = Distribution(0, 0.0, 0.0, 0.0, 0.0, 0.0)
POOL = PoolRow(
    name="pool 1",
    size=5,
    max_overflow=10,
    checkouts=100,
    timeouts=0,
    peak_checked_out=9,
    peak_waiting=2,
    checked_out_at_rest=0,
    wait=NO_TIME,
    hold=NO_TIME,
)


@pytest.fixture
def story() -> LoadStory:
    """A load that went well."""
    return LoadStory(
        users=10,
        seconds=20.0,
        requests=400,
        failures=0,
        requests_per_second=20.0,
        routes=(),
        pools=(POOL,),
    )


def test_a_load_that_went_well_passes(story: LoadStory) -> None:
    judged = [check(story) for check in (steady_answers, pool_timeouts, connections_returned)]

    assert [(item.probe, item.verdict) for item in judged] == [
        ("load", Verdict.PASS),
        ("pool", Verdict.PASS),
        ("leak", Verdict.PASS),
    ]


def test_a_slow_machine_is_no_fault(story: LoadStory) -> None:
    assert steady_answers(replace(story, requests_per_second=0.1)).verdict is Verdict.PASS


def test_one_failed_answer_fails(story: LoadStory) -> None:
    judged = steady_answers(replace(story, failures=1))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary == "400 requests by 10 users in 20 s, 1 failed"


def test_a_failure_is_told_with_its_worst_routes_and_answers(story: LoadStory) -> None:
    failed = {"GET /a": (("404", 467), ("no answer", 2)), "GET /b": (("500", 30), ("503", 1))}
    rows = tuple(
        RouteRow(route, 500, 500, NO_TIME, None, failed=kinds) for route, kinds in failed.items()
    )

    judged = steady_answers(replace(story, failures=500, routes=rows))

    assert judged.summary.partition("failed: ")[2] == (
        "GET /a: 404 × 467, GET /b: 500 × 30, GET /a: no answer × 2, and 1 more"  # noqa: RUF001
    )


def test_no_request_is_inconclusive(story: LoadStory) -> None:
    assert steady_answers(replace(story, requests=0)).verdict is Verdict.INCONCLUSIVE


def test_one_timeout_of_any_pool_fails(story: LoadStory) -> None:
    pools = (POOL, replace(POOL, name="pool 2", timeouts=1))

    judged = pool_timeouts(replace(story, pools=pools))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith("pool 1: peak 9 of 15 out, 2 waiting, pool 2: ")


@pytest.mark.parametrize("limits", [(0, -1), (5, -1), (0, 0)])
def test_a_pool_without_a_limit_is_told_without_one(
    story: LoadStory, limits: tuple[int, int]
) -> None:
    unbounded = replace(POOL, size=limits[0], max_overflow=limits[1])

    judged = pool_timeouts(replace(story, pools=(unbounded,)))

    assert judged.summary == "pool 1: peak 9 out, 2 waiting, 0 timeouts"


def test_a_connection_that_stayed_out_fails(story: LoadStory) -> None:
    pools = (POOL, replace(POOL, name="pool 2", checked_out_at_rest=3))

    judged = connections_returned(replace(story, pools=pools))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary == "3 connections of pool 2 still out after the load"


@pytest.mark.parametrize("check", [pool_timeouts, connections_returned])
def test_an_application_without_a_pool_is_inconclusive(story: LoadStory, check: object) -> None:
    assert callable(check)

    assert check(replace(story, pools=())).verdict is Verdict.INCONCLUSIVE
