"""A connection is held for nothing where neither SQL nor the application's own CPU explains it."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, MachineWindow
from harness.checks.load.held_idle import held_idle
from harness.findings import Severity, Verdict
from tests.checks.load.building import (
    ENDPOINT,
    ROUTE,
    times,
    with_client,
    with_pool,
    with_route,
    with_server,
)
from tests.checks.load.recorded import CALM, FREE, HELD, INDEXED, LOCKED, SLEEPING


def test_a_connection_that_is_held_over_a_call_is_told_with_its_route() -> None:
    judged = held_idle(HELD)

    assert judged.verdict.verdict is Verdict.FAIL
    (finding,) = judged.findings
    assert finding.identity == f"held-connection idle @ {ROUTE}"
    assert finding.site == ENDPOINT
    assert finding.title == "a connection is held for 206 ms and executes for 5.0 ms of it"
    assert ("duty of all connections", "2 %") in finding.evidence


def test_where_nobody_waits_for_it_it_is_a_warning_and_no_explanation() -> None:
    judged = held_idle(with_pool(HELD, waiting_share=0.0))

    assert [finding.severity for finding in judged.findings] == [Severity.WARNING]
    assert not judged.is_explanation


@pytest.mark.parametrize(
    "window", [*FREE.values(), *LOCKED.values(), *list(SLEEPING.values())[:3], CALM]
)
def test_connections_that_work_are_left_alone(window: LoadWindow) -> None:
    assert held_idle(window).verdict.verdict is Verdict.PASS


def test_python_around_a_short_statement_is_not_taken_for_a_call() -> None:
    calm = replace(INDEXED[1], process_cpu=0.5, cpu_seconds=0.5 * INDEXED[1].seconds)

    assert held_idle(calm).verdict.verdict is Verdict.PASS


def test_python_that_takes_long_by_its_own_cpu_time_is_not_taken_for_a_call() -> None:
    slow = with_route(HELD, hold=times(0.1, count=600), busy_seconds=3.0)
    busy = replace(slow, process_cpu=0.69, cpu_seconds=0.04 * slow.client.requests)

    assert held_idle(slow).findings
    assert held_idle(busy).findings == ()


@pytest.mark.parametrize("pool", INDEXED)
def test_a_saturated_loop_stretches_hold_times_and_nobody_can_tell(pool: int) -> None:
    assert held_idle(INDEXED[pool]).verdict.verdict is Verdict.INCONCLUSIVE


def _idle_for(*, held: float, busy: float) -> LoadWindow:
    count = HELD.client.requests
    return with_route(HELD, hold=times(held, count=count), busy_seconds=busy * count)


@pytest.mark.parametrize(
    ("held", "busy", "is_found"),
    [(0.0245, 0.005, False), (0.0255, 0.005, True), (0.2, 0.062, False), (0.2, 0.058, True)],
    ids=["19.5 ms", "20.5 ms", "31 %", "29 %"],
)
def test_it_is_told_from_20_milliseconds_and_below_30_percent(
    *, held: float, busy: float, is_found: bool
) -> None:
    assert bool(held_idle(_idle_for(held=held, busy=busy)).findings) is is_found


@pytest.mark.parametrize(("cpu", "is_found"), [(0.065, True), (0.069, False)])
def test_three_times_its_own_cpu_time_explains_a_hold_time(*, cpu: float, is_found: bool) -> None:
    # 201 ms without SQL.
    window = replace(HELD, cpu_seconds=cpu * HELD.client.requests)

    assert bool(held_idle(window).findings) is is_found


@pytest.mark.parametrize(("active", "is_explanation"), [(1.4, True), (1.6, False)])
def test_it_explains_slow_requests_where_most_connections_are_held_idle(
    *, active: float, is_explanation: bool
) -> None:
    window = with_server(HELD, active=active, idle_in_transaction=5 - active)

    assert held_idle(window).is_explanation is is_explanation


def test_the_route_that_holds_most_comes_first() -> None:
    often = HELD.routes[0]
    long = replace(often, route="GET /seldom", hold=times(2.0, count=3), busy_seconds=0.1)

    judged = held_idle(replace(HELD, routes=(long, often)))

    assert [finding.anchor for finding in judged.findings] == [ROUTE, "GET /seldom"]
    assert judged.verdict.summary.endswith("; and 1 more")


def test_without_the_servers_word_the_applications_own_is_taken() -> None:
    assert held_idle(replace(HELD, server=None)).is_explanation


@pytest.mark.parametrize(("samples", "is_explanation"), [(49, True), (50, False)])
def test_few_readings_of_the_server_are_no_word(*, samples: int, is_explanation: bool) -> None:
    # The server would say that all connections work.
    window = with_server(HELD, samples=samples, active=5.0, idle_in_transaction=0.0)

    assert held_idle(window).is_explanation is is_explanation


def test_failed_answers_do_not_hide_who_holds_the_connections() -> None:
    failing = with_client(HELD, ok=HELD.client.requests // 5, errors=HELD.client.requests // 5 * 4)

    assert held_idle(failing).is_explanation


def test_a_machine_that_is_busy_otherwise_makes_it_inconclusive() -> None:
    busy = replace(HELD, machine=MachineWindow(2, 0.1, 1.5))

    assert held_idle(busy).verdict.verdict is Verdict.INCONCLUSIVE
