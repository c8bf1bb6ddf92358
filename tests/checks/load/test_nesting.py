"""The pool-locking formula, on the pools and requests that it was measured with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.load.nesting import (
    connections_without_deadlock,
    is_refuted,
    nesting,
    pool_locking,
    without_nesting,
)
from harness.findings import Severity, Verdict
from tests.checks.load.building import ROUTE, with_client, with_pool, with_route
from tests.checks.load.recorded import CALM, nested


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


@pytest.mark.parametrize(
    "drill",
    [
        nested(pool=10, at_once=40, timeouts=8),
        nested(pool=10, at_once=10),
        with_pool(nested(pool=10, at_once=10, timeouts=8), peak_checked_out=9),
        with_route(nested(pool=10, at_once=10, timeouts=8), held_at_once=1),
    ],
    ids=["other clients", "no timeouts", "not full", "not nested"],
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
    drill = nested(pool=10, at_once=10)

    assert is_refuted(drill)
    assert not is_refuted(with_pool(drill, timeouts=1))
    assert not is_refuted(replace(drill, processes=0))
    assert not is_refuted(with_client(drill, requests=10))


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
