"""What no pool can exceed: the operational bounds of a process, and the room of a server."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.load.bounds import Bounds, bounds_of
from harness.checks.load.fleet import Fleet, fleet_of
from tests.checks.load.building import times, with_pool
from tests.checks.load.recorded import CALM


@given(size=st.integers(1, 64), hold=st.floats(0.001, 1.0), cpu=st.floats(0.0001, 0.01))
def test_no_rate_exceeds_the_operational_bounds(size: int, hold: float, cpu: float) -> None:
    bounds = Bounds(hold, cpu)

    assert bounds.rate(size) <= size / hold
    assert bounds.rate(size) <= 1 / cpu
    assert bounds.rate(size) == pytest.approx(min(size / hold, 1 / cpu))
    assert bounds.processes_for(3 / cpu) in {3, 4}


def test_a_request_that_takes_two_connections_one_after_the_other_holds_both() -> None:
    twice = with_pool(CALM, hold=times(0.02, count=CALM.client.requests * 2))

    bounds = bounds_of(twice)

    assert bounds is not None
    assert bounds.hold_seconds == pytest.approx(0.04)


def test_what_all_processes_held_is_divided_by_the_requests_of_all() -> None:
    # Each of them answered half of the requests, and held a connection for 0.1 s for each.
    (pool,) = with_pool(CALM, hold=times(0.1, count=CALM.client.requests // 2)).pools
    both = replace(CALM, processes=2, pools=(pool, replace(pool, checkouts=1)))
    other = replace(pool, name="another engine's")

    bounds, beside = bounds_of(both), bounds_of(replace(both, pools=(*both.pools, other)))

    assert bounds is not None
    assert bounds.hold_seconds == pytest.approx(0.1)
    assert bounds == beside


def test_the_fleets_room_is_what_the_server_has_left() -> None:
    assert CALM.server is not None

    fleet = fleet_of(CALM.server, processes=2, replicas=2, surge=1.0)

    assert (fleet.others, fleet.reserved, fleet.ceiling) == (2, 3, 19)
    assert str(fleet) == (
        "0.8 x (100 - 3 reserved - 2 others) / (2 processes x 2 replicas x 1 surge) = 19"
    )


@pytest.mark.parametrize(("reserved", "others", "ceiling"), [(3, 0, 77), (13, 0, 69), (3, 10, 69)])
def test_what_is_reserved_or_taken_is_not_room(reserved: int, others: int, ceiling: int) -> None:
    fleet = Fleet(max_connections=100, surge=1.0, reserved=reserved, others=others)

    assert fleet.ceiling == ceiling
