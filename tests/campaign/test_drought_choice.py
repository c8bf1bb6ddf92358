"""How a pool is run dry follows from how long a request holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.campaign.drought.choice import MOST_USERS, SmallPool, drought_for, hold_per_request
from harness.campaign.drought.dryness import NeverDryError
from harness.campaign.drought.story import Drought
from harness.capture.windows import LoadWindow
from tests.checks.load.building import load, times, with_route

POOL = SmallPool(size=2, timeout_seconds=1.0)


def chosen(hold_seconds: float | None, *, users: int | None = None, seconds: float = 3) -> Drought:
    return drought_for(POOL, hold_seconds=hold_seconds, users=users, seconds=seconds)


def test_a_slow_route_runs_dry_by_four_users_per_connection() -> None:
    assert (chosen(1.0).users, chosen(1.0).is_locked) == (8, False)


def test_a_quicker_route_needs_as_many_users_as_wait_longer_than_the_pool() -> None:
    assert (chosen(0.1).users, chosen(0.1).is_locked) == (30, False)


def test_where_it_would_be_too_many_tables_are_locked_and_few_are_enough() -> None:
    most = 1.5 * POOL.capacity / MOST_USERS

    assert not chosen(most * 1.01).is_locked
    assert (chosen(most * 0.99).users, chosen(most * 0.99).is_locked) == (8, True)


def test_connections_that_do_not_come_back_run_any_pool_dry() -> None:
    assert (chosen(None).users, chosen(None).is_locked) == (8, False)


@pytest.mark.parametrize(("users", "is_locked"), [(20, True), (30, False)])
def test_users_that_were_asked_for_are_sent(users: int, is_locked: bool) -> None:
    drought = chosen(0.1, users=users)

    assert (drought.users, drought.is_locked) == (users, is_locked)


def test_it_lasts_as_long_as_two_time_limits_and_a_request() -> None:
    assert chosen(0.1).seconds == 3
    assert chosen(2.5).seconds == 5
    assert chosen(0.1, seconds=8).seconds == 8
    assert chosen(500.0).seconds == 60


def test_tables_are_locked_for_a_minute_at_most() -> None:
    assert (chosen(0.001, seconds=300).is_locked, chosen(0.001, seconds=300).seconds) == (True, 60)
    assert (chosen(1.0, seconds=300).is_locked, chosen(1.0, seconds=300).seconds) == (False, 300)


@pytest.mark.parametrize("hold_seconds", [3.5, 0.001], ids=["slow", "quick"])
def test_users_who_have_a_connection_each_are_refused(hold_seconds: float) -> None:
    with pytest.raises(NeverDryError, match=r"2 users cannot .* 2 connections dry: give --users 3"):
        chosen(hold_seconds, users=2)


def test_any_number_of_users_is_enough_where_connections_do_not_come_back() -> None:
    assert chosen(None, users=1).users == 1


def test_each_process_has_a_pool() -> None:
    assert replace(POOL, overflow=1, processes=3).capacity == 9


def test_a_request_holds_what_all_its_checkouts_hold() -> None:
    assert hold_per_request(_held(requests=10, checkouts=20, mean=0.1)) == pytest.approx(0.2)
    assert hold_per_request(_held(requests=10, checkouts=0, mean=0.0)) is None


def _held(*, requests: int, checkouts: int, mean: float) -> LoadWindow:
    recorded = load(
        pool=2, rate=100, hold=mean, wait=0.0, cpu=0.1, active=1.0, idle_in_transaction=0.0
    )
    return with_route(recorded, requests=requests, hold=times(mean, count=checkouts))
