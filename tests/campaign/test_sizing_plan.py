"""What a sweep tries, and for how long; by arithmetic."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.campaign.sizing.form import LONG, baseline_seconds, slice_seconds
from harness.campaign.sizing.plan import (
    SweepPlan,
    doubled,
    order,
    other_size,
    planned_sweep,
    ramp_ends,
    server_room,
)
from harness.capture.windows import LoadWindow
from harness.checks.load.bounds import Bounds
from tests.checks.load.building import load, with_client, with_pool, with_server

HOLD = 0.01
BOUNDS = Bounds(HOLD, 0.001)


def ramp(capacity: int, *, pool: int = 10, cpu: float = 0.3, until: int = 32) -> list[LoadWindow]:
    """A database that serves so many at once, through a pool, at 1, 2, 4, … users."""
    users = [2**power for power in range(13) if 2**power <= until]
    return [
        load(
            pool=pool,
            rate=min(each, capacity, pool) / HOLD,
            hold=HOLD,
            wait=0.0,
            cpu=cpu,
            active=1.0,
            idle_in_transaction=0.0,
            users=each,
        )
        for each in users
    ]


def plan(capacity: int, *, pool: int = 10, cpu: float = 0.3, room: int = 80) -> SweepPlan:
    return planned_sweep(ramp(capacity, pool=pool, cpu=cpu), bounds=BOUNDS, form=LONG, room=room)


@pytest.mark.parametrize("capacity", [1, 2, 4, 8])
def test_the_sizes_reach_from_below_the_bend_of_the_ramp_to_twice_beyond(capacity: int) -> None:
    sizes = plan(capacity, pool=64).sizes

    assert len(sizes) >= 3
    assert sizes[0] <= capacity < sizes[-1]
    assert all(larger == 2 * smaller for smaller, larger in pairwise(sizes))


def test_a_ramp_that_the_pool_itself_may_have_ended_asks_for_larger_pools() -> None:
    assert plan(capacity=64, pool=10).sizes[-1] >= 20


def test_a_ramp_that_the_cpu_ended_does_not() -> None:
    assert plan(capacity=64, pool=4, cpu=0.95).sizes == (1, 2, 4, 8)


def test_steps_of_a_ramp_without_a_good_answer_say_nothing_of_its_knee() -> None:
    refused = [with_client(ramp(4, pool=64)[-1], users=users, ok=0) for users in (64, 128)]

    planned = planned_sweep([*ramp(4, pool=64), *refused], bounds=BOUNDS, form=LONG, room=80)

    assert planned.sizes == plan(4, pool=64).sizes
    assert planned_sweep(refused, bounds=BOUNDS, form=LONG, room=80).sizes


def test_no_more_than_five_sizes_are_tried() -> None:
    assert len(plan(capacity=64, pool=64).sizes) == 5


def test_no_size_exceeds_the_servers_room() -> None:
    assert plan(capacity=64, pool=64, room=20).sizes[-1] == 16


def test_there_are_users_enough_for_a_queue_at_every_pool() -> None:
    assert plan(capacity=64, pool=20).users >= 2 * plan(capacity=64, pool=20).sizes[-1]
    assert plan(capacity=2, pool=20).users >= 3 * 20


def test_there_are_no_more_users_than_the_cpu_answers_in_time() -> None:
    slow = Bounds(0.5, 0.4)

    planned = planned_sweep(ramp(2, pool=20), bounds=slow, form=LONG, room=80, asked=(1, 2, 4))

    assert planned.users == 32


def held(seconds: float, *, users: int | None = None, processes: int = 1) -> SweepPlan:
    """Of requests that hold a connection for so long, with an own pool of 64."""
    windows = [replace(window, processes=processes) for window in ramp(32, pool=64, until=64)]
    slow, form = Bounds(seconds, 0.001), LONG.lasting(300.0)
    return planned_sweep(windows, bounds=slow, form=form, room=200, users=users)


def asked_for(sizes: tuple[int, ...], *, users: int, seconds: float) -> SweepPlan:
    return planned_sweep(
        ramp(32, pool=64, until=64),
        bounds=Bounds(seconds, 0.001),
        form=LONG,
        room=200,
        asked=sizes,
        users=users,
    )


def longest_wait(planned: SweepPlan, hold_seconds: float) -> float:
    return planned.users * hold_seconds / planned.sizes[0]


def test_sizes_that_would_let_users_wait_for_longer_than_they_do_are_left_out() -> None:
    assert held(0.1).sizes == (8, 16, 32, 64, 128)
    assert held(0.4).sizes == (16, 32, 64, 128)
    assert longest_wait(held(0.4), 0.4) <= 8.0


@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.5, 2.0])
def test_there_are_no_more_users_than_three_sizes_serve_in_time(seconds: float) -> None:
    planned = held(seconds)

    assert len(planned.sizes) >= 3
    assert planned.why_few == ""
    assert longest_wait(planned, seconds) <= 8.0
    assert planned.users >= planned.sizes[-1]


def test_where_users_who_fill_the_largest_pool_wait_too_long_closer_sizes_are_named() -> None:
    planned = held(2.1)

    assert planned.why_few == (
        "requests hold connections for 2.1 s: 128 users would wait 8.4 s for one of 32, 8 s "
        "at most: --sizes 64,96,128 --users 128"
    )
    assert longest_wait(asked_for((64, 96, 128), users=128, seconds=2.1), 2.1) <= 8.0


def test_closer_sizes_come_with_the_length_that_they_need() -> None:
    slow = Bounds(3.0, 0.001)

    planned = planned_sweep(ramp(8, pool=16, until=16), bounds=slow, form=LONG, room=200)

    assert planned.why_few.endswith("--sizes 16,24,32 --users 32 --time 113s")


def test_requests_for_which_no_sizes_would_do_are_to_be_left_out() -> None:
    assert held(4.1).why_few.endswith("leave out the slowest routes (--plan)")


def test_users_that_somebody_asks_for_are_told_to_be_fewer_where_fewer_would_do() -> None:
    planned = held(1.0, users=400)

    assert planned.users == 400
    assert "400 users would wait 12.5 s for one of 32, 8 s at most" in planned.why_few
    assert planned.why_few.endswith("--users 256")
    assert held(1.0, users=256).why_few == ""


@pytest.mark.parametrize(
    ("users", "room", "told"),
    [
        (
            3,
            80,
            "2 pool sizes to compare, 3 needed: 3 users cannot fill a pool of 4: --users 4 or more",
        ),
        (
            None,
            3,
            "2 pool sizes to compare, 3 needed: the server has room for 3 connections of each ",
        ),
        (
            None,
            1,
            "1 pool size to compare, 3 needed: the server has room for 1 connection of each ",
        ),
    ],
)
def test_a_sweep_that_has_no_third_size_says_what_to_set(
    users: int | None, room: int, told: str
) -> None:
    planned = planned_sweep(ramp(4), bounds=BOUNDS, form=LONG, room=room, users=users)

    assert planned.why_few.startswith(told)


def test_every_process_has_to_be_filled_by_its_share_of_the_users() -> None:
    planned = held(0.1, users=6, processes=2)

    assert planned.why_few.endswith("6 users cannot fill a pool of 4: --users 8 or more")
    assert held(0.1, users=8, processes=2).why_few == ""


def test_sizes_that_somebody_asks_for_are_tried_and_no_others() -> None:
    planned = planned_sweep(ramp(4), bounds=BOUNDS, form=LONG, room=10, asked=(8, 3, 3, 12))

    assert planned.sizes == (3, 8)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ((8, 16, 32), "2 pool sizes to compare, 3 needed: 16 users cannot fill a pool of 32: --us"),
        ((2, 4, 8, 32), ""),
        ((8, 16), ""),
        ((8, 16, 90), "2 pool sizes to compare, 3 needed: the server has room for 80 connections "),
    ],
    ids=["too few", "enough", "no more were asked for", "no room"],
)
def test_sizes_that_cannot_be_tried_are_named_before_any_is(
    sizes: tuple[int, ...], why: str
) -> None:
    planned = planned_sweep(
        ramp(4), bounds=BOUNDS, form=LONG, room=80, asked=sizes, users=min(sizes[-1], 16)
    )

    assert planned.why_few.startswith(why)
    assert bool(planned.why_few) is bool(why)


def test_each_size_that_is_left_out_has_the_reason_that_it_has() -> None:
    planned = planned_sweep(
        ramp(4), bounds=BOUNDS, form=LONG, room=80, asked=(2, 4, 8, 32, 64, 90), users=16
    )

    assert planned.sizes == (2, 4, 8)
    assert planned.left_out == (
        "16 users cannot fill a pool of 32 or 64: --users 64 or more; "
        "the server has room for 80 connections of each process, not for a pool of 90"
    )


def test_users_that_somebody_asks_for_limit_the_sizes() -> None:
    planned = planned_sweep(ramp(64, pool=64), bounds=BOUNDS, form=LONG, room=80, users=16)

    assert planned.users == 16
    assert planned.sizes[-1] == 16


def test_a_slice_is_as_long_as_five_hundred_answers_need_and_no_longer() -> None:
    assert slice_seconds(60.0, LONG) == pytest.approx(10.0)
    assert slice_seconds(5000.0, LONG) == LONG.shortest_seconds
    assert slice_seconds(1.0, LONG) == slice_seconds(0.0, LONG) == LONG.longest_seconds


def test_a_length_that_somebody_asks_for_is_kept() -> None:
    assert slice_seconds(5000.0, LONG.lasting(90.0)) == 90.0
    assert LONG.lasting(None) is LONG


def test_a_base_line_is_stretched_too_but_not_without_end() -> None:
    assert LONG.lasting(3.0).baseline_seconds == LONG.baseline_seconds
    assert LONG.lasting(12.0).baseline_seconds == 12.0
    assert LONG.lasting(90.0).baseline_seconds == LONG.longest_baseline_seconds


@pytest.mark.parametrize(
    ("requests", "wanted"),
    [(50, None), (49, 7.347), (30, 12.0), (11, 30.0), (9, None), (0, None)],
    ids=["enough", "nearly", "0.2 s each", "0.55 s each", "0.7 s each", "none"],
)
def test_slow_requests_get_a_base_line_in_which_fifty_of_them_fit(
    requests: int, wanted: float | None
) -> None:
    alone = replace(with_client(ramp(4)[0], requests=requests, ok=requests), seconds=6.0)

    seconds = baseline_seconds(alone, LONG)

    assert seconds == (wanted if wanted is None else pytest.approx(wanted, rel=1e-3))


def test_sizes_that_cannot_serve_enough_in_the_longest_slice_are_left_out() -> None:
    slow = Bounds(0.1, 0.001)

    planned = planned_sweep(ramp(8, pool=64, cpu=0.9), bounds=slow, form=LONG, room=80)

    assert planned.sizes == (2, 4, 8, 16)
    assert planned.why_few == ""
    assert 1 * LONG.longest_seconds / slow.hold_seconds < 500 <= 2 * LONG.longest_seconds / 0.1


def test_where_too_few_sizes_are_left_the_length_that_would_do_is_told() -> None:
    slow = Bounds(0.4, 0.001)

    planned = planned_sweep(ramp(4, pool=64, cpu=0.9), bounds=slow, form=LONG, room=80)
    told = planned_sweep(ramp(4, pool=64, cpu=0.9), bounds=slow, form=LONG.lasting(120.0), room=80)

    assert "a pool of 2 serves at most 125 in one, 500 needed: --time 120s" in planned.why_few
    assert told.sizes == (2, 4, 8)
    assert told.why_few == ""


def test_a_ramp_ends_two_steps_after_its_knee() -> None:
    assert not ramp_ends({1: 100.0, 2: 198.0, 4: 390.0})
    assert not ramp_ends({1: 100.0, 2: 198.0, 4: 210.0})
    assert ramp_ends({1: 100.0, 2: 198.0, 4: 210.0, 8: 211.0})


def test_each_round_has_an_order_of_its_own_that_the_seed_repeats() -> None:
    sizes = (1, 2, 4, 8, 16)

    orders = [order(sizes, seed=7, number=number) for number in range(20)]

    assert orders == [order(sizes, seed=7, number=number) for number in range(20)]
    assert len({tuple(each) for each in orders}) > 10
    assert all(sorted(each) == list(sizes) for each in orders)


def test_the_room_is_what_the_server_has_free_for_each_process() -> None:
    window = with_server(ramp(4)[0], max_connections=100, reserved_connections=3, others=7.0)

    assert server_room(window.server, 1) == 81
    assert server_room(window.server, 4) == 20


def test_a_sweep_that_rose_to_its_end_goes_on_where_users_and_room_suffice() -> None:
    planned = SweepPlan((1, 2, 4), users=16, seconds=(9.0, 7.0, 6.0), room=80)

    further = doubled(planned, 1)

    assert further is not None
    assert further.slices == ((1, 9.0), (2, 7.0), (4, 6.0), (8, 6.0))
    assert doubled(planned, 4) is None
    assert doubled(replace(planned, room=7), 1) is None


def test_the_size_beside_the_applications_own_is_twice_that_or_half() -> None:
    pool = with_pool(ramp(4)[0], size=5, max_overflow=5).pools[0]

    assert other_size(pool, 80) == (20,)
    assert other_size(pool, 15) == (5,)
