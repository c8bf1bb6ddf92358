"""The recommended size is the known capacity, and says when there is none to recommend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, MachineWindow
from harness.checks.load.fleet import Fleet
from harness.checks.load.pool_sizing import Recommendation, recommendation
from harness.findings import Verdict
from tests.checks.load.building import times, with_client, with_pool, with_route
from tests.checks.load.capacities import CAPACITIES, in_rounds
from tests.checks.load.recorded import (
    CALM,
    FREE,
    INDEXED,
    LOCKED,
    SLEEPING,
    locked,
    nested,
)

KNOWN = pytest.mark.parametrize("keys", CAPACITIES)


def _alone(*, hold: float, cpu: float) -> LoadWindow:
    """One user: so many seconds of a connection and of CPU for each request."""
    window = with_pool(CALM, hold=times(hold, count=CALM.client.requests))
    return _costing(window, cpu)


def _costing(window: LoadWindow, cpu: float) -> LoadWindow:
    return replace(window, cpu_seconds=cpu * window.client.requests)


LOCKED_ALONE = _alone(hold=0.042, cpu=0.000586)
SLEEPING_ALONE = _alone(hold=0.0067, cpu=0.00095)
INDEXED_ALONE = _alone(hold=0.00106, cpu=0.001)


@KNOWN
def test_the_recommendation_is_the_known_capacity(keys: int) -> None:
    told = recommendation(in_rounds(locked(CAPACITIES[keys], keys=keys)), LOCKED_ALONE)

    assert told.verdict is Verdict.PASS
    assert (told.pool_size, told.max_overflow) == (keys, keys // 2)
    assert (told.low, told.high) == (keys, keys)
    assert told.summary == (
        f"pool_size={keys}, max_overflow={keys // 2} per process ({keys} to {keys} over 3 rounds)"
    )


def test_a_loop_that_is_the_limit_needs_the_smallest_pool() -> None:
    told = recommendation(in_rounds(INDEXED), INDEXED_ALONE)

    assert (told.pool_size, told.knee) == (2, 1)


def test_bounds_and_sweep_agree_on_a_short_statement() -> None:
    told = recommendation(in_rounds(SLEEPING), SLEEPING_ALONE)

    assert told.bounds is not None
    assert told.bounds.knee == pytest.approx(7.1, abs=0.1)
    assert told.pool_size == told.knee == 8


def test_a_law_describes_a_curve_that_bends() -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE)

    assert told.law is not None
    assert told.law.fit > 0.99


def test_the_interval_is_that_of_thein_rounds() -> None:
    early = locked({**CAPACITIES[8], 8: CAPACITIES[8][4] * 1.1}, keys=8)
    sweep = [*in_rounds(locked(CAPACITIES[8], keys=8), rounds=2), *early.values()]

    told = recommendation(sweep, LOCKED_ALONE)

    assert (told.low, told.pool_size, told.high) == (4, 8, 8)


def test_throughput_that_rises_to_the_end_gives_no_size() -> None:
    told = recommendation(in_rounds(FREE), LOCKED_ALONE)

    assert told.verdict is Verdict.INCONCLUSIVE
    assert (told.knee, told.pool_size, told.high) == (None, 48, None)
    assert told.summary.startswith("at least 48: throughput rose to the end of the sweep")


def test_a_target_needs_what_it_holds_at_once_and_half_as_much_again() -> None:
    # 100 a second for 42 ms each: 4.2 connections at once.
    told = recommendation(in_rounds(FREE), LOCKED_ALONE, target_rate=100.0)

    assert told.verdict is Verdict.PASS
    assert (told.pool_size, told.max_overflow) == (7, 3)


def test_a_target_is_shared_by_the_processes_of_the_fleet() -> None:
    fleet = Fleet(max_connections=500, processes=2, replicas=2)

    told = recommendation(in_rounds(FREE), LOCKED_ALONE, target_rate=400.0, fleet=fleet)

    assert told.pool_size == 7


def test_a_target_never_asks_for_more_than_is_useful() -> None:
    # 160 a second hold 6.7 connections: 11 with room. No more than 1.5 times the knee, which is 4.
    sweep = in_rounds(locked({pool: rate * 2 for pool, rate in CAPACITIES[4].items()}, keys=8))

    told = recommendation(sweep, LOCKED_ALONE, target_rate=160.0)

    assert told.pool_size == 6
    assert told.max_overflow == 0


def test_a_target_above_the_cpu_needs_processes_and_no_pool() -> None:
    told = recommendation(in_rounds(INDEXED), INDEXED_ALONE, target_rate=3500.0)

    assert told.verdict is Verdict.FAIL
    assert (told.pool_size, told.processes_needed) == (None, 4)
    assert told.summary.startswith(
        "no pool size reaches 3500 requests a second with 1 process: at least 4 processes"
    )


def test_a_target_above_the_database_is_not_reached_by_processes_either() -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE, target_rate=300.0)

    assert told.verdict is Verdict.FAIL
    assert told.processes_needed is None
    assert "the database was the limit at 172" in told.summary


def test_a_size_beyond_the_sweep_is_told_as_one() -> None:
    told = recommendation(in_rounds(FREE), LOCKED_ALONE, target_rate=1000.0)

    assert told.verdict is Verdict.WARN
    assert "63 connections are more than were tried: 48" in told.reasons


def test_the_servers_room_has_the_last_word() -> None:
    fleet = Fleet(max_connections=100, processes=4, replicas=3, surge=1.25)

    told = recommendation(in_rounds(SLEEPING), SLEEPING_ALONE, fleet=fleet)

    assert fleet.ceiling == 5
    assert told.verdict is Verdict.WARN
    assert (told.pool_size, told.max_overflow) == (5, 0)
    assert any(reason.startswith("8 would be right") for reason in told.reasons)


def test_processes_share_what_the_database_can_work_on() -> None:
    fleet = Fleet(max_connections=500, processes=2, surge=1.0)

    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE, fleet=fleet)

    assert (told.pool_size, told.knee) == (4, 8)
    assert "the database was the limit, so that processes share its 8: 4 each" in told.reasons


def test_processes_do_not_share_what_one_cpu_can_feed() -> None:
    fleet = Fleet(max_connections=500, processes=2, surge=1.0)

    told = recommendation(in_rounds(SLEEPING), SLEEPING_ALONE, fleet=fleet)

    assert told.pool_size == 8


def test_a_server_without_room_fails() -> None:
    told = recommendation(
        in_rounds(LOCKED), LOCKED_ALONE, fleet=Fleet(max_connections=20, processes=8, replicas=2)
    )

    assert told.verdict is Verdict.FAIL
    assert "no connection left for each process: 0.8 x (20 - 3 reserved" in told.summary


def test_nested_requests_need_what_makes_a_deadlock_impossible() -> None:
    sweep = [
        with_route(window, held_at_once=2, peak_concurrency=20) for window in in_rounds(LOCKED)
    ]

    told = recommendation(sweep, LOCKED_ALONE)

    assert told.verdict is Verdict.WARN
    assert told.pool_size == 21
    assert any("21 make a deadlock impossible" in reason for reason in told.reasons)


def test_what_would_change_it_is_told_in_numbers() -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE)

    assert told.would_change[0] == (
        "148 requests a second or more with 12 connections (now 137): a larger pool"
    )
    assert any("another hold time than 42.0 ms" in line for line in told.would_change)


def test_the_reasons_for_a_knee_are_told_in_numbers() -> None:
    told = recommendation(in_rounds(LOCKED), LOCKED_ALONE)

    assert told.reasons == (
        "more than 8 connections brought less than half of what they cost",
        "one process: at most 1706 requests a second by its CPU, which 71.7 connections can feed",
    )
    assert told.would_change[-1].startswith("a target rate")


def test_the_reasons_for_a_target_are_told_in_numbers() -> None:
    told = recommendation(in_rounds(FREE), LOCKED_ALONE, target_rate=100.0)

    assert told.reasons == (
        "throughput rose up to 48 connections, the largest size that was tried",
        (
            "100 requests a second in each process hold 4.2 connections for 42.0 ms each; 1.5 "
            "times that leaves room"
        ),
        "one process: at most 1706 requests a second by its CPU, which 71.7 connections can feed",
    )
    assert not any(line.startswith("a target rate") for line in told.would_change)


def test_a_knee_beyond_what_one_cpu_can_feed_is_told_to_be_cut() -> None:
    # 4 connections feed the CPU, 6 with room; the knee is 8.
    sweep = [_costing(window, 0.0105) for window in in_rounds(LOCKED)]

    told = recommendation(sweep, _alone(hold=0.042, cpu=0.0105))

    assert (told.knee, told.pool_size) == (8, 6)
    assert told.reasons[1].startswith("no more than 6: the CPU of one process cannot feed as many")


def test_what_one_user_shows_of_a_process_that_mostly_waits_is_not_its_cpu() -> None:
    # One user is waited for most of the time, which takes as much CPU as the request.
    sweep = [_costing(window, 0.002) for window in in_rounds(LOCKED)]

    told = recommendation(sweep, _alone(hold=0.042, cpu=0.0105))

    assert told.pool_size == 8
    assert not any("the CPU of one process cannot feed" in reason for reason in told.reasons)


def test_an_application_that_costs_no_cpu_is_bound_by_its_connections_alone() -> None:
    told = recommendation(in_rounds(LOCKED), _alone(hold=0.042, cpu=0.0))

    assert told.pool_size == 8
    assert len(told.reasons) == 1


def test_rounds_with_longer_hold_times_widen_the_interval_of_a_target() -> None:
    # 100 a second for 42 ms each are 4.2 connections; in the slow round 6.3, in the quick one 2.1.
    slow, quick = (
        {
            size: with_pool(window, hold=times(0.044 * stretch, count=window.client.requests))
            for size, window in FREE.items()
        }
        for stretch in (1.5, 0.5)
    )
    sweep = [*FREE.values(), *slow.values(), *quick.values()]

    told = recommendation(sweep, LOCKED_ALONE, target_rate=100.0)

    assert (told.low, told.pool_size, told.high) == (4, 7, 10)


def test_three_sizes_are_enough() -> None:
    sweep = in_rounds({size: LOCKED[size] for size in (4, 8, 16)})

    assert recommendation(sweep, LOCKED_ALONE).pool_size == 8


def _few_sizes() -> list[LoadWindow]:
    return [window for _ in range(3) for window in (LOCKED[4], LOCKED[8])]


@pytest.mark.parametrize(
    ("sweep", "baseline", "told"),
    [
        (_few_sizes(), LOCKED_ALONE, "2 pool sizes with three valid windows each"),
        (in_rounds(LOCKED, rounds=2), LOCKED_ALONE, "size 1: 2 valid windows, 3 needed"),
        ([], LOCKED_ALONE, "0 pool sizes"),
        (
            [replace(window, machine=MachineWindow(2, 0.9, 0.1)) for window in in_rounds(LOCKED)],
            LOCKED_ALONE,
            "30 x the generator was the limit",
        ),
        (
            [with_client(window, users=8) for window in in_rounds(LOCKED)],
            LOCKED_ALONE,
            "3 x 8 users cannot fill 1 x 12 connections",
        ),
        (in_rounds(LOCKED), with_client(CALM, requests=0), "no request came to its end"),
        (in_rounds(LOCKED), replace(CALM, pools=()), "it took no connection"),
    ],
    ids=["sizes", "rounds", "nothing", "generator", "users", "no baseline", "no checkout"],
)
def test_what_cannot_be_used_is_not_recommended_from(
    sweep: list[LoadWindow], baseline: LoadWindow, told: str
) -> None:
    judged: Recommendation = recommendation(sweep, baseline)

    assert told in " ".join([judged.summary, *judged.left_out])


def test_observed_concurrency_is_not_taken_for_a_need() -> None:
    # Rate times hold time is the pool's size at every size: it would recommend what is set.
    observed = {size: LOCKED[size].client.ok / LOCKED[size].seconds for size in (8, 32, 48)}
    implied = [rate * LOCKED[size].pools[0].hold.mean_seconds for size, rate in observed.items()]

    assert implied == pytest.approx([8, 32, 48], rel=0.02)
    assert recommendation(in_rounds(LOCKED), LOCKED_ALONE).pool_size == 8


def test_a_sweep_of_nested_requests_is_not_needed_to_see_them() -> None:
    window = nested(pool=10, at_once=10)

    assert recommendation([window], LOCKED_ALONE).verdict is Verdict.INCONCLUSIVE
