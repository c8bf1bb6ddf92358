"""The pool-locking formula, on the pools and requests that it was measured with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.windows import LoadWindow
from harness.checks.load.nesting import (
    connections_without_deadlock,
    nesting,
    pool_locking,
    why_not_refuted,
    without_nesting,
)
from harness.findings import Severity, Verdict
from tests.checks.load.building import ROUTE, with_client, with_pool, with_route
from tests.checks.load.recorded import CALM, nested

DRILL = nested(pool=10, at_once=10)


@pytest.mark.parametrize(
    ("pool", "at_once", "held", "is_possible"),
    [
        (5, 5, 2, True),
        (6, 5, 2, False),
        (10, 10, 2, True),
        (11, 10, 2, False),
        (9, 5, 3, True),
        (11, 5, 3, False),
    ],
)
def test_a_deadlock_is_told_beforehand(
    *, pool: int, at_once: int, held: int, is_possible: bool
) -> None:
    judged = nesting(nested(pool=pool, at_once=at_once, held=held))

    assert judged.verdict.verdict is (Verdict.FAIL if is_possible else Verdict.WARN)
    (finding,) = judged.findings
    assert finding.severity is (Severity.ERROR if is_possible else Severity.NOTE)


def test_the_finding_says_which_pool_makes_it_impossible() -> None:
    (finding,) = nesting(nested(pool=10, at_once=10)).findings

    assert finding.identity == f"nested-checkout deadlock @ {ROUTE}"
    assert "10 at a time can lock each other out of 10 connections; 11 make" in finding.title
    assert "max_concurrency=9" in finding.fix


def test_a_large_enough_pool_is_told_up_to_how_many_requests_it_is_safe() -> None:
    (finding,) = nesting(nested(pool=11, at_once=10)).findings

    assert "11 connections are safe for up to 10 at a time" in finding.title


def test_a_pool_that_is_large_enough_is_not_to_be_enlarged() -> None:
    (finding,) = nesting(nested(pool=10, at_once=8)).findings

    assert "10 connections are safe for up to 9 at a time" in finding.title
    assert ("smallest safe pool", "9 connections for 8 at a time") in finding.evidence
    assert finding.fix == (
        "pass the session down instead of opening another, or bound the route "
        "(Depends(…, max_concurrency=9)); the pool is large enough as long as no more than 9 "
        "come at once"
    )


def test_one_connection_at_a_time_locks_nobody_out() -> None:
    assert nesting(CALM).verdict.verdict is Verdict.PASS


def test_a_pool_without_a_bound_locks_nobody_out() -> None:
    unbounded = with_pool(nested(pool=5, at_once=10), max_overflow=-1)

    assert nesting(unbounded).verdict.verdict is Verdict.PASS


def test_a_drill_with_as_many_clients_as_connections_confirms_it() -> None:
    judged = nesting(nested(pool=10, at_once=4), nested(pool=10, at_once=10, timeouts=8))

    assert judged.verdict.verdict is Verdict.FAIL
    assert "confirmed, 10 clients on 10 connections timed out 8 times" in judged.verdict.summary
    assert judged.is_explanation


def test_a_drill_in_which_nobody_got_a_second_connection_confirms_it() -> None:
    drill = with_route(nested(pool=4, at_once=4, timeouts=8), held_at_once=1)
    nobody_served = with_client(drill, requests=12, ok=0, errors=12)

    judged = nesting(nested(pool=4, at_once=1), nobody_served)

    assert judged.verdict.verdict is Verdict.FAIL
    assert "confirmed, 4 clients on 4 connections timed out 8 times" in judged.verdict.summary


def test_a_size_that_was_locked_out_in_the_drill_is_not_advised() -> None:
    drill = nested(pool=4, at_once=4, timeouts=8)

    (finding,) = nesting(nested(pool=4, at_once=1), drill).findings

    assert dict(finding.evidence)["smallest safe pool"] == "5 connections for 4 at a time"
    assert "give the pool 5 connections" in finding.fix


@pytest.mark.parametrize(
    "drill",
    [
        nested(pool=10, at_once=40, timeouts=8),
        nested(pool=10, at_once=10),
        with_pool(nested(pool=10, at_once=10, timeouts=8), peak_checked_out=9),
    ],
    ids=["other clients", "no timeouts", "not full"],
)
def test_another_drill_confirms_nothing(drill: object) -> None:
    judged = nesting(nested(pool=10, at_once=4), drill)  # type: ignore[arg-type]  # parametrised

    assert judged.verdict.verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("pool", "timeouts", "is_explanation"),
    [(10, 8, True), (10, 0, False), (11, 8, False)],
    ids=["happened", "possible", "impossible"],
)
def test_a_deadlock_explains_only_what_has_happened(
    *, pool: int, timeouts: int, is_explanation: bool
) -> None:
    judged = nesting(nested(pool=pool, at_once=10, timeouts=timeouts))

    assert judged.is_explanation is is_explanation


def test_routes_that_nest_share_the_pool() -> None:
    window = nested(pool=10, at_once=10)
    first = replace(window.routes[0], peak_concurrency=5, held_at_once=3)
    second = replace(window.routes[0], route="GET /other", peak_concurrency=8)

    needed = connections_without_deadlock(replace(window, routes=(second, first)))

    assert needed == 5 * 2 + 5 * 1 + 1


def test_a_route_is_judged_by_the_pool_that_it_takes_from() -> None:
    window = with_route(nested(pool=20, at_once=10), pool="replica")
    small = replace(window.pools[0], name="replica", size=10, checkouts=1)

    judged = nesting(replace(window, pools=(*window.pools, small)))

    assert judged.verdict.verdict is Verdict.FAIL


def test_a_load_that_took_no_connection_is_inconclusive() -> None:
    assert nesting(replace(CALM, routes=())).verdict.verdict is Verdict.INCONCLUSIVE


def test_a_drill_in_which_everybody_was_served_refutes_it() -> None:
    assert why_not_refuted(nested(pool=10, at_once=10)) == ""


@pytest.mark.parametrize(
    ("drill", "why"),
    [
        (with_pool(DRILL, timeouts=1), "1 timed out"),
        (with_client(DRILL, hung=3), "3 requests got no answer"),
        (with_client(DRILL, errors=8), "8 requests got no answer, or one of 5xx"),
        (replace(DRILL, processes=0), "no probe"),
        (with_client(DRILL, requests=10), "10 requests of 10 clients ended"),
        (with_pool(DRILL, peak_checked_out=2), "at most 2 of 10 connections were out at once"),
        (with_pool(DRILL, size=20), "the pool had not 10 connections"),
        (with_route(DRILL, peak_concurrency=4), "at most 4 of 10 requests met"),
    ],
)
def test_requests_that_never_met_or_were_never_answered_refute_nothing(
    drill: LoadWindow, why: str
) -> None:
    assert why in why_not_refuted(drill)


def test_the_connections_of_another_pool_refute_nothing() -> None:
    replica = replace(DRILL.pools[0], name="replica", checkouts=1, peak_checked_out=3)
    drill = replace(DRILL, pools=(*DRILL.pools, replica))

    told = why_not_refuted(drill, pool="replica")

    assert told == "at most 3 of 10 connections were out at once"
    assert why_not_refuted(drill) == ""


def test_routes_that_hold_one_connection_do_not_meet_for_those_that_hold_several() -> None:
    seldom = replace(DRILL.routes[0], route="GET /nested", peak_concurrency=2)
    drill = replace(DRILL, routes=(*DRILL.routes, seldom))

    assert why_not_refuted(drill, routes=["GET /nested"]) == "at most 2 of 10 requests met"


def test_a_drill_confirms_it_for_the_pool_that_was_full() -> None:
    window = with_route(nested(pool=10, at_once=4), pool="replica")
    replica = replace(window.pools[0], name="replica", size=6, checkouts=1)
    window = replace(window, pools=(*window.pools, replica))
    locked = replace(replica, peak_checked_out=6, timeouts=5)
    drill = with_client(replace(window, pools=(window.pools[0], locked)), users=6)

    (finding,) = nesting(window, drill).findings

    assert "confirmed, 6 clients on 6 connections timed out 5 times" in finding.title


def test_a_larger_pool_is_said_to_be_safe_for_so_many_and_no_more() -> None:
    drill = nested(pool=15, at_once=15, timeouts=8)

    (finding,) = nesting(nested(pool=15, at_once=1), drill).findings

    assert finding.fix.endswith(
        "or give the pool 16 connections and let at most 15 such requests in at once"
    )


def test_routes_that_nest_in_one_pool_share_what_is_safe() -> None:
    window = nested(pool=15, at_once=8)
    first = window.routes[0]
    second = replace(first, route="GET /other")
    both = with_client(replace(window, routes=(first, second)), users=16)

    findings = nesting(both).findings

    assert "16 at a time, together with GET /other, can lock each other out" in findings[0].title
    assert "; 17 make it impossible" in findings[0].title
    assert [("max_concurrency=7" in finding.fix) for finding in findings] == [True, True]
    assert "bound each of the 2 routes" in findings[0].fix
    assert ("safe up to", f"14 requests, together with {ROUTE}") in findings[1].evidence


def test_a_pool_in_which_even_one_request_locks_itself_out_gets_no_bound() -> None:
    (finding,) = nesting(nested(pool=1, at_once=4)).findings

    assert "max_concurrency" not in finding.fix


def test_what_a_drill_has_refuted_is_not_found_again() -> None:
    window = nested(pool=10, at_once=10)

    assert nesting(without_nesting(window, [ROUTE])).findings == ()
    assert without_nesting(window, ["GET /another"]) == window


@given(st.integers(1, 60), st.integers(2, 5))
def test_one_connection_less_than_the_formula_is_a_deadlock(at_once: int, held: int) -> None:
    # All but one of a request's connections, in every request: nobody gets the last one.
    enough = pool_locking(at_once, held)

    assert enough - 1 == at_once * (held - 1)
    assert nesting(nested(pool=enough, at_once=at_once, held=held)).verdict.verdict is Verdict.WARN
    if enough > 1:
        short = nested(pool=enough - 1, at_once=at_once, held=held)
        assert nesting(short).verdict.verdict is Verdict.FAIL
