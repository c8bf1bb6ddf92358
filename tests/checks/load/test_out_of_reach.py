"""No pool size is said to be right only where none is: what was measured comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import pytest

from harness.capture.windows import LoadWindow
from harness.checks.load.fleet import Fleet
from harness.checks.load.no_pool_size import unreached
from harness.checks.load.pool_sizing import recommendation
from harness.checks.load.recommended import Obstacle, Recommendation
from harness.findings import Verdict
from tests.checks.load.building import load, times, with_pool, with_route
from tests.checks.load.capacities import in_rounds
from tests.checks.load.recorded import CALM, FREE, LOCKED, SLEEPING


def alone(*, hold: float, cpu: float) -> LoadWindow:
    """One user: so many seconds of a connection and of CPU for each request."""
    window = with_pool(CALM, hold=times(hold, count=CALM.client.requests))
    return replace(window, cpu_seconds=cpu * CALM.client.requests)


def sweep(rates: Mapping[int, float], *, cpu: float, duty: float = 1.0) -> list[LoadWindow]:
    """Three rounds, in which the process uses the same CPU at every size."""
    return in_rounds(
        {
            size: load(
                pool=size,
                rate=rate,
                hold=size / rate,
                wait=64 / rate,
                cpu=cpu,
                active=duty * size,
                idle_in_transaction=(1 - duty) * size,
            )
            for size, rate in rates.items()
        }
    )


def in_processes(windows: list[LoadWindow], processes: int) -> list[LoadWindow]:
    """The same figures, of so many processes."""
    return [replace(window, processes=processes) for window in windows]


FLAT = {4: 500.0, 8: 700.0, 16: 700.0, 32: 690.0}
THREADS = {4: 40.0, 8: 80.0, 16: 160.0, 32: 318.0, 64: 400.0}
"""A `def` route of 100 ms: 40 threads, whatever the pool."""
LOCKED_ALONE = alone(hold=0.042, cpu=0.000586)


def obstacle(told: Recommendation) -> Obstacle | None:
    """Of one that fails."""
    assert (told.verdict is Verdict.FAIL) is (told.obstacle is not None)
    return told.obstacle


def test_a_rate_that_was_measured_is_within_reach_whatever_the_model_says() -> None:
    # By the model a process serves 1053 at most.
    measured = sweep({4: 542.0, 8: 817.0, 16: 1101.0, 32: 1100.0}, cpu=0.96)

    told = recommendation(measured, alone(hold=0.0067, cpu=0.00095), target_rate=1080.0)

    assert (told.verdict, told.pool_size) == (Verdict.PASS, 11)


def test_cpu_that_was_spent_on_fewer_requests_than_the_model_promised_asks_for_processes() -> None:
    told = recommendation(sweep(FLAT, cpu=0.95), alone(hold=0.004, cpu=0.0009), target_rate=1000.0)

    assert (obstacle(told), told.processes_needed) == (Obstacle.CPU, 2)
    assert "at least 2 processes, for 1.4 ms of CPU per request" in told.summary


@pytest.mark.parametrize(("target", "is_within"), [(3200.0, True), (3600.0, False)])
def test_what_one_process_served_each_of_the_fleet_does(*, target: float, is_within: bool) -> None:
    fleet = Fleet(max_connections=5000, replicas=3)
    measured = sweep({4: 542.0, 8: 817.0, 16: 1101.0, 32: 1100.0}, cpu=0.96)

    told = recommendation(measured, alone(hold=0.0067, cpu=0.00095), target, fleet)

    assert (obstacle(told) is None) is is_within


def test_a_target_that_all_connections_of_the_server_cannot_carry_fails() -> None:
    # 2 x 19 connections for 0.1 s each: 380 a second, whatever the CPU.
    fleet = Fleet(max_connections=100, processes=2)
    rates = {4: 40.0, 8: 80.0, 16: 160.0, 32: 318.0}

    told = recommendation(
        in_processes(sweep(rates, cpu=0.2), 2), alone(hold=0.1, cpu=0.0005), 800.0, fleet
    )

    assert (fleet.ceiling, obstacle(told)) == (19, Obstacle.ROOM)
    assert "2 processes with as many serve at most 380" in told.summary


def test_a_target_that_pools_within_the_room_have_served_is_not_beyond_it() -> None:
    fleet = Fleet(max_connections=100, processes=2)
    rates = {4: 200.0, 8: 400.0, 16: 800.0, 32: 1500.0}

    told = recommendation(
        in_processes(sweep(rates, cpu=0.2), 2), alone(hold=0.1, cpu=0.0005), 800.0, fleet
    )

    assert (told.verdict, told.pool_size) == (Verdict.WARN, 19)


def test_room_without_headroom_is_a_compromise_that_fewer_processes_do_not_mend() -> None:
    # 5 connections and half as much again, of which there is room for 6.
    fleet = Fleet(max_connections=33, processes=2)

    told = recommendation(in_rounds(FREE), LOCKED_ALONE, 230.0, fleet)

    assert (told.verdict, told.pool_size, fleet.ceiling) == (Verdict.WARN, 6, 6)
    assert told.reasons[-1].startswith("8 would be right: a pooler in front of the server, a larg")
    assert "fewer processes" not in " ".join(told.reasons)


@pytest.mark.parametrize(("ceiling", "size"), [(48, 48), (12, 12)])
def test_larger_pools_are_not_for_trying_where_the_server_has_no_room(
    ceiling: int, size: int
) -> None:
    fleet = Fleet(max_connections=ceil(ceiling / 0.8), reserved=0, surge=1.0)

    told = recommendation(in_rounds(FREE), LOCKED_ALONE, fleet=fleet)

    assert fleet.ceiling == ceiling
    assert (told.verdict, told.pool_size, told.max_overflow) == (Verdict.WARN, size, 0)
    assert (told.low, told.high) == (size, size)


def test_larger_pools_are_for_trying_where_the_server_has_room() -> None:
    told = recommendation(in_rounds(FREE), LOCKED_ALONE, fleet=Fleet(max_connections=500))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.summary.startswith("at least 48")


def nesting_sweep() -> list[LoadWindow]:
    """31 connections make a deadlock impossible."""
    return [with_route(window, held_at_once=2, peak_concurrency=30) for window in in_rounds(LOCKED)]


@pytest.mark.parametrize(("room", "is_possible"), [(30, True), (31, False)])
def test_a_server_without_room_for_a_pool_without_deadlock_fails(
    *, room: int, is_possible: bool
) -> None:
    fleet = Fleet(max_connections=ceil(room / 0.8), reserved=0, surge=1.0)

    told = recommendation(nesting_sweep(), LOCKED_ALONE, fleet=fleet)

    assert fleet.ceiling == room
    assert (obstacle(told) is Obstacle.DEADLOCK) is is_possible
    assert ("31 make a deadlock impossible" in told.summary) is is_possible


def test_what_makes_a_deadlock_impossible_is_told_to_be_of_the_sweeps_own_users() -> None:
    told = recommendation(nesting_sweep(), LOCKED_ALONE)

    assert "as many of them as 64 users of the sweep sent" in " ".join(told.reasons)


def _with_threads(windows: list[LoadWindow]) -> list[LoadWindow]:
    return [replace(window, peak_threads_waiting=24, thread_limit=40) for window in windows]


@pytest.mark.parametrize(
    ("windows", "told"),
    [
        (_with_threads(sweep(THREADS, cpu=0.4)), Obstacle.THREADS),
        (sweep(THREADS, cpu=0.4, duty=0.6), Obstacle.UNKNOWN),
        ([replace(each, server=None) for each in sweep(THREADS, cpu=0.4)], Obstacle.UNKNOWN),
        (sweep(THREADS, cpu=0.4, duty=0.8), Obstacle.DATABASE),
    ],
    ids=["threads", "idle connections", "unseen server", "busy connections"],
)
def test_a_database_is_blamed_only_where_it_was_seen_to_work_on_everything(
    windows: list[LoadWindow], told: Obstacle
) -> None:
    missed = recommendation(windows, alone(hold=0.1, cpu=0.001), target_rate=500.0)

    assert obstacle(missed) is told
    assert ("the database was the limit" in missed.summary) is (told is Obstacle.DATABASE)


@pytest.mark.parametrize("target", [300.0, 1500.0, 5000.0])
def test_what_a_database_does_not_serve_needs_no_processes_however_much_it_is(
    target: float,
) -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE, target_rate=target)

    assert (obstacle(told), told.processes_needed) == (Obstacle.DATABASE, None)
    assert "more processes do not help" in told.summary


@pytest.mark.parametrize(("duty", "size"), [(1.0, 16), (0.5, 32)])
def test_only_what_the_database_can_work_on_is_shared_by_processes(
    *, duty: float, size: int
) -> None:
    fleet = Fleet(max_connections=900, replicas=2)

    told = recommendation(
        sweep(THREADS, cpu=0.4, duty=duty), alone(hold=0.1, cpu=0.001), fleet=fleet
    )

    assert (told.knee, told.pool_size) == (32, size)


def test_a_first_window_that_may_not_be_judged_does_not_count_the_processes() -> None:
    broken = replace(LOCKED[8], processes=0)

    told = recommendation([broken, *in_rounds(LOCKED)], LOCKED_ALONE)

    assert (told.verdict, told.pool_size) == (Verdict.PASS, 8)


@pytest.mark.parametrize(("beside", "verdict"), [(10, Verdict.WARN), (8, Verdict.PASS)])
def test_other_pools_of_a_process_share_the_servers_room(beside: int, verdict: Verdict) -> None:
    # 8 + 4 of 20.
    (main,) = LOCKED_ALONE.pools
    other = replace(main, name="pool 2", size=beside, max_overflow=0, checkouts=1)
    fleet = Fleet(max_connections=25, reserved=0, surge=1.0)

    told = recommendation(
        in_rounds(LOCKED), replace(LOCKED_ALONE, pools=(main, other)), fleet=fleet
    )

    assert (fleet.ceiling, told.verdict, told.pool_size) == (20, verdict, 8)
    assert told.reasons[-1].startswith(f"other pools of each process take up to {beside} of it")


def test_the_room_is_said_to_be_that_of_the_server_that_was_measured() -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE, fleet=Fleet(max_connections=200))

    assert any(
        line.startswith("another max_connections than the 200 of the server that was measured")
        for line in told.would_change
    )


@pytest.mark.parametrize(
    ("stands", "label", "fix"),
    [
        (Obstacle.ROOM, "room", "pooler"),
        (Obstacle.DEADLOCK, "deadlock", "pass the session down"),
        (Obstacle.CPU, "target", "run at least 5 processes"),
        (Obstacle.DATABASE, "target", "cheaper"),
        (Obstacle.THREADS, "target", "threads of its own"),
        (Obstacle.UNKNOWN, "target", "what requests wait for"),
    ],
)
def test_each_obstacle_has_its_own_way_out(stands: Obstacle, label: str, fix: str) -> None:
    told = Recommendation(Verdict.FAIL, "", obstacle=stands, knee=4, processes_needed=5)

    finding = unreached(told)

    assert finding is not None
    assert finding.label == label
    assert fix in finding.fix


def test_a_server_without_room_is_the_obstacle_though_a_knee_is_known() -> None:
    fleet = Fleet(max_connections=20, processes=8, replicas=2)

    finding = unreached(recommendation(in_rounds(SLEEPING), LOCKED_ALONE, fleet=fleet))

    assert finding is not None
    assert (finding.label, "cheaper" in finding.fix) == ("room", False)
