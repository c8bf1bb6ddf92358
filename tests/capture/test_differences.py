"""A window is what happened between two readings of the status, of every process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.differences import load_window
from harness.capture.growth import Json
from harness.capture.pool_state import PoolState
from harness.capture.route_counts import levels_json
from harness.capture.windows import OutstandingCheckout, Stall, StallCause
from harness.findings import SourceLine
from tests.capture.readings import LINE, SITE, client, only_pool, pool, stall, status, times, window

STEPS = st.lists(st.sampled_from(["ask", "get", "give", "leave"]), max_size=40)


def test_without_any_status_there_is_nothing_but_the_client() -> None:
    told = window({}, {})

    assert (told.processes, told.process_cpu, told.cpu_seconds) == (0, 0.0, 0.0)
    assert (told.pools, told.routes, told.outstanding) == ((), (), ())


def test_one_that_began_meanwhile_counts_from_nothing() -> None:
    young = status(uptime_seconds=4.0, cpu_seconds=2.0, pools=[pool(checkouts=7)])

    told = window({}, {2: young})

    assert (only_pool(told).checkouts, told.cpu_seconds) == (7, 2.0)


def test_one_that_was_restarted_counts_from_nothing() -> None:
    old = status(pools=[pool(checkouts=100, checked_out=3)])
    young = status(boot_id="second", uptime_seconds=4.0, pools=[pool(checkouts=7)])

    told = window({2: old}, {2: young})

    assert told.processes == 1
    assert (only_pool(told).checkouts, only_pool(told).peak_checked_out) == (7, 0)


def test_one_that_is_gone_is_counted_and_told_nothing_of() -> None:
    before = {1: status(cpu_seconds=5.0), 2: status(pools=[pool(checkouts=9)])}

    told = window(before, {1: status(cpu_seconds=6.0)})

    assert (told.processes, told.pools, told.cpu_seconds) == (2, (), 1.0)


def test_one_that_took_the_place_of_another_adds_none() -> None:
    before = {1: status(), 2: status()}

    assert window(before, {1: status(), 3: status(boot_id="second")}).processes == 2


def test_one_that_did_not_answer_at_the_beginning_is_no_young_one() -> None:
    old = status(uptime_seconds=3600.0, cpu_seconds=500.0, pools=[pool(checkouts=9000)])

    told = window({}, {2: old})

    assert (told.processes, told.pools, told.process_cpu) == (1, (), 0.0)


def test_cpu_is_of_the_busiest_and_of_all() -> None:
    before = {1: status(cpu_seconds=100.0), 2: status(cpu_seconds=1.0)}
    after = {1: status(cpu_seconds=102.0), 2: status(cpu_seconds=9.0)}

    told = window(before, after)

    assert (told.process_cpu, told.cpu_seconds) == (0.8, 10.0)


def test_a_stretch_without_length_has_no_shares() -> None:
    before = {1: status(pools=[pool()])}
    after = {1: status(cpu_seconds=1.0, pools=[pool(waiting_seconds=1.0)])}

    told = load_window(seconds=0.0, client=client(), before=before, after=after)

    assert (told.process_cpu, only_pool(told).waiting_share) == (0.0, 0.0)


def test_counts_are_differences() -> None:
    first = pool(checkouts=5, timeouts=1, creations=3, reclaimed=2, busy_seconds=1.0)
    second = pool(checkouts=9, timeouts=2, creations=4, reclaimed=2, busy_seconds=1.5)

    told = only_pool(window({1: status(pools=[first])}, {1: status(pools=[second])}))

    assert (told.checkouts, told.timeouts, told.creations, told.reclaimed) == (4, 1, 1, 0)
    assert told.busy_seconds == 0.5
    assert (told.name, told.capacity, told.timeout_seconds) == ("pool 1", 4, 30.0)


def test_times_are_differences() -> None:
    first = pool(wait=times(5.0), hold=times(0.001))
    second = pool(wait=times(5.0, 0.1, 0.1), hold=times(0.001, 2.0))

    told = only_pool(window({1: status(pools=[first])}, {1: status(pools=[second])}))

    assert (told.wait.count, told.hold.count) == (2, 1)
    assert told.wait.mean_seconds == pytest.approx(0.1)
    assert 0.1 <= told.wait.max_seconds <= 0.12
    assert (sum(told.wait.counts), told.hold.max_seconds) == (2, 2.0)


def test_a_share_of_waiting_is_of_the_stretch() -> None:
    before = {1: status(pools=[pool(waiting_seconds=60.0)])}

    told = [
        only_pool(window(before, {1: status(pools=[pool(waiting_seconds=seconds)])}))
        for seconds in (60.0, 62.5, 70.5)  # the last reading comes a little after the end
    ]

    assert [each.waiting_share for each in told] == [0.0, 0.25, 1.0]


def test_the_peak_of_an_earlier_stretch_is_not_this_ones() -> None:
    levels = {"1": 50, "2": 30, "4": 9}
    first = pool(checked_out_at=levels, waiting_at={"7": 1}, peak_checked_out=4)
    second = pool(checked_out_at={**levels, "2": 31}, waiting_at={"7": 1}, peak_checked_out=4)

    told = only_pool(window({1: status(pools=[first])}, {1: status(pools=[second])}))

    assert (told.peak_checked_out, told.peak_waiting) == (2, 0)


def test_what_was_out_at_the_beginning_was_out() -> None:
    hanging = pool(checked_out_at={"4": 1}, checked_out=4, waiting_at={"9": 1}, waiting=9)

    told = only_pool(window({1: status(pools=[hanging])}, {1: status(pools=[hanging])}))

    assert (told.peak_checked_out, told.peak_waiting) == (4, 9)


@pytest.mark.parametrize(
    ("first", "second", "closed"),
    [
        ({}, {"creations": 15, "open": 5}, 10),
        ({"creations": 5, "open": 5}, {"creations": 40, "open": 5}, 35),
        ({"creations": 5, "open": 5}, {"creations": 15, "open": 15}, 0),
        ({"creations": 5, "open": 5}, {"creations": 5}, 5),
    ],
    ids=["a process that began", "churn", "a filling", "the end"],
)
def test_connections_that_ended_are_those_that_are_not_open_any_more(
    first: Json, second: Json, closed: int
) -> None:
    before = {1: status(pools=[pool(**first)])} if first else {}
    after = {1: status(uptime_seconds=1.0 if not first else 60.0, pools=[pool(**second)])}

    assert only_pool(window(before, after)).closed == closed


def test_a_probe_that_does_not_tell_what_is_open_leaves_unknown_what_ended() -> None:
    old = pool(creations=15)
    del old["open"]

    assert only_pool(window({1: status()}, {1: status(pools=[old])})).closed is None


def test_a_pool_has_the_same_name_in_every_process() -> None:
    after = {pid: status(uptime_seconds=1.0, pools=[pool()]) for pid in (1, 2)}

    assert [each.name for each in window({}, after).pools] == ["pool 1", "pool 1"]


@given(first=STEPS, second=STEPS)
def test_peaks_are_the_most_that_there_were(first: list[str], second: list[str]) -> None:
    state = PoolState("pool 1", size=2, max_overflow=1, timeout_seconds=1.0)
    list(_walked(state, first))
    before = {1: status(pools=[_levels(state)])}
    seen = [(state.checked_out, state.waiting), *_walked(state, second)]

    told = only_pool(window(before, {1: status(pools=[_levels(state)])}))

    assert told.peak_checked_out == max(out for out, _ in seen)
    assert told.peak_waiting == max(waiting for _, waiting in seen)


def _walked(state: PoolState, steps: list[str]) -> Iterator[tuple[int, int]]:
    """Callers come, are served, give back or give up; connections out and waiters after each."""
    for step in steps:
        is_somebody_asking = state.demand > state.checked_out
        if step == "ask":
            state.ask()
        elif step == "get" and is_somebody_asking and state.checked_out < 3:
            state.take()
        elif step == "give" and state.checked_out:
            state.take_back(0.0, 0.0)
        elif step == "leave" and is_somebody_asking:
            state.go_without()
        yield state.checked_out, state.waiting


def _levels(state: PoolState) -> Json:
    return pool(
        checked_out=state.checked_out,
        checked_out_at=levels_json(state.checked_out_at),
        waiting=state.waiting,
        waiting_at=levels_json(state.waiting_at),
    )


def test_stalls_are_differences_by_place() -> None:
    first = [
        stall("sync-sql", count=2, seconds=0.3, longest_seconds=0.2),
        stall("other", count=1, seconds=9.0, longest_seconds=9.0),
    ]
    second = [
        stall("other", count=1, seconds=9.0, longest_seconds=9.0),
        stall("sync-sql", line=13, count=5, seconds=1.8, longest_seconds=0.7),
    ]
    before = {1: status(loop={"lag": times(9.0), "stalls": first})}
    after = {1: status(loop={"lag": times(9.0, 0.7), "stalls": second})}

    told = window(before, after).loop

    site = SourceLine("shop/orders.py", 13, "orders")
    lag = told.lag.p99_seconds
    assert told.stalls == (Stall(StallCause.SYNC_SQL, 3, 1.5, 0.7, "", site, lag),)
    assert told.lag.count == 1
    assert told.lag.mean_seconds == pytest.approx(0.7)


def test_a_longest_stall_of_earlier_accuses_nobody_now() -> None:
    first = stall(count=1, seconds=5.0, longest_seconds=5.0)
    second = stall(count=4, seconds=5.3, longest_seconds=5.0)
    before = {1: status(loop={"lag": times(), "stalls": [first]})}
    after = {1: status(loop={"lag": times(), "stalls": [second]})}

    (told,) = window(before, after).loop.stalls

    assert told.count == 3
    assert told.longest_seconds == pytest.approx(0.1)


def test_a_stall_without_a_line_has_none() -> None:
    nowhere = {**stall(count=1, seconds=1.0, longest_seconds=1.0), "site": None}
    after = {1: status(loop={"lag": times(), "stalls": [nowhere]})}

    assert window({1: status()}, after).loop.stalls[0].site is None


def test_the_stalls_are_of_all_processes_each_with_the_lag_of_its_own() -> None:
    short = [stall("sync-sql", count=9, seconds=1.0, longest_seconds=0.2)]
    long = [stall(count=1, seconds=2.0, longest_seconds=2.0)]
    after = {
        1: status(loop={"lag": times(0.3), "stalls": short}),
        2: status(loop={"lag": times(0.2), "stalls": long}),
        3: status(loop={"lag": times(0.4), "stalls": []}),
    }

    told = window({pid: status() for pid in after}, after).loop

    assert [(each.cause, each.seconds) for each in told.stalls] == [
        (StallCause.SYNC_SQL, 1.0),
        (StallCause.OTHER, 2.0),
    ]
    assert [each.lag_p99_seconds for each in told.stalls] == [
        pytest.approx(0.3, rel=0.2),
        pytest.approx(0.2, rel=0.2),
    ]


def test_the_lag_is_of_the_latest_loop() -> None:
    after = {
        pid: status(loop={"lag": times(lag), "stalls": []})
        for pid, lag in ((1, 0.01), (2, 0.04), (3, 0.02))
    }

    assert window({pid: status() for pid in after}, after).loop.lag.max_seconds == 0.04


def test_threads_are_of_the_process_where_most_waited() -> None:
    threads = {"total": 40, "waiting_at": {"90": 1, "3": 1}}
    before = {1: status(threads=threads), 2: status(threads=None)}
    after = {
        1: status(threads={"total": 40, "waiting_at": {"90": 1, "3": 2}}),
        2: status(threads={"total": 8, "waiting_at": {"5": 1}}),
    }

    told = window(before, after)

    assert (told.peak_threads_waiting, told.thread_limit) == (5, 8)


def test_where_nobody_knows_of_threads_there_is_no_limit() -> None:
    told = window({1: status()}, {1: status()})

    assert (told.peak_threads_waiting, told.thread_limit) == (0, None)


OUT: Json = {
    "pool": "pool 1",
    "route": "GET /",
    "age_seconds": 1.5,
    "has_request_ended": True,
    "is_owner_running": False,
    "is_executing": False,
    "site": LINE,
    "backend_pid": 12,
}


def test_what_is_out_at_rest_is_told_with_its_line() -> None:
    at_rest = {1: status(outstanding=[OUT])}

    told = window({1: status()}, {1: status()}, at_rest=at_rest)

    assert told.outstanding == (
        OutstandingCheckout("pool 1", "GET /", True, False, 1.5, SITE),  # noqa: FBT003 - as declared
    )


def test_what_is_out_under_load_is_not() -> None:
    busy = {1: status(outstanding=[OUT])}

    assert window(busy, busy).outstanding == ()
