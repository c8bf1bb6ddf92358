"""What a sweep tries, and for how long; by arithmetic."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.campaign.sizing.plan import (
    LONG,
    SweepPlan,
    doubled,
    order,
    other_size,
    planned_sweep,
    ramp_ends,
    server_room,
    slice_seconds,
)
from harness.capture.windows import LoadWindow
from harness.checks.load.bounds import Bounds
from tests.checks.load.building import load, with_pool, with_server

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


def test_sizes_that_would_let_users_wait_for_longer_than_they_do_are_left_out() -> None:
    slow = Bounds(2.0, 0.001)

    sizes = planned_sweep(ramp(32, pool=64, until=64), bounds=slow, form=LONG, room=80).sizes

    assert sizes[0] * 8.0 >= 2.0 * 192


def test_sizes_that_somebody_asks_for_are_tried_and_no_others() -> None:
    planned = planned_sweep(ramp(4), bounds=BOUNDS, form=LONG, room=10, asked=(8, 3, 3, 12))

    assert planned.sizes == (3, 8)


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
