"""What samples add up to, and when nothing may be concluded from them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.database.activity_samples import (
    ActivitySample,
    ActivityTally,
    ServerLimits,
    sample_of,
)

LIMITS = ServerLimits(max_connections=100, reserved_connections=3, statement_timeout_seconds=30.0)


def sample(at_seconds: float = 0.0, **counts: float) -> ActivitySample:
    names = ("active", "idle_in_transaction", "idle", "lock_waiting", "others", "hidden")
    row = {name: int(counts.get(name, 0)) for name in names}
    return sample_of(
        {**row, "longest_seconds": counts.get("longest_seconds", 0.0)}, at_seconds=at_seconds
    )


def test_a_window_has_the_means_of_all_samples() -> None:
    tally = ActivityTally()
    tally.add(sample(active=4, idle_in_transaction=2, lock_waiting=1))
    tally.add(sample(active=2, idle=3, others=5))

    window = tally.reading(LIMITS).window

    assert window is not None
    assert (window.samples, window.active, window.idle_in_transaction) == (2, 3.0, 1.0)
    assert (window.idle, window.lock_waiting, window.others) == (1.5, 0.5, 2.5)
    assert (window.max_connections, window.reserved_connections) == (100, 3)
    assert window.statement_timeout_seconds == 30.0


def test_the_longest_idle_transaction_of_all_samples_is_told() -> None:
    tally = ActivityTally()
    for seconds in (0.5, 7.5, 1.0):
        tally.add(sample(idle_in_transaction=1, longest_seconds=seconds))

    window = tally.reading(LIMITS).window

    assert window is not None
    assert window.longest_idle_in_transaction_seconds == 7.5


def test_a_long_series_is_thinned_evenly_and_changes_no_mean() -> None:
    tally = ActivityTally(most_kept=8)
    for number in range(100):
        tally.add(sample(at_seconds=number, active=number))

    reading = tally.reading(LIMITS)

    moments = [item.at_seconds for item in reading.series]
    assert len(moments) < 8
    assert len({later - earlier for earlier, later in pairwise(moments)}) == 1
    assert moments[-1] >= 80
    assert reading.window is not None
    assert reading.window.active == 49.5


def test_no_sample_is_a_reason_and_not_an_idle_database() -> None:
    tally = ActivityTally()
    tally.gap("ConnectionError refused")

    reading = tally.reading(LIMITS)

    assert reading.window is None
    assert reading.reason == "the server gave no sample: ConnectionError refused"


def test_one_hidden_connection_is_enough_to_conclude_nothing() -> None:
    tally = ActivityTally()
    tally.add(sample(hidden=2))
    tally.add(sample(active=1))

    reading = tally.reading(LIMITS)

    assert reading.window is None
    assert "does not tell what 2 of the application's connections do" in reading.reason


def test_missing_samples_are_told_beside_the_window() -> None:
    tally = ActivityTally()
    tally.add(sample(active=1))
    tally.gap("TimeoutError")

    reading = tally.reading(LIMITS)

    assert reading.window is not None
    assert reading.reason == "the server did not answer 1 times, at first: TimeoutError"


@pytest.mark.parametrize("most_kept", [2, 3, 10])
def test_a_bound_is_kept_whatever_it_is(most_kept: int) -> None:
    tally = ActivityTally(most_kept=most_kept)
    for _ in range(1000):
        tally.add(sample())

    series = tally.reading(LIMITS).series

    assert 0 < len(series) < most_kept
