"""The open model: a constant rate whatever the answers do, and what cannot be sent is counted."""

from __future__ import annotations

import pytest

from harness.load.arrivals import PATIENCE_SECONDS, Arrivals
from tests.load.conftest import CountingServer, Generator


def test_arrivals_are_evenly_spaced_however_late_they_are_asked_for() -> None:
    arrivals = Arrivals(lambda: 10.0, next_seconds=100.0)

    taken = [arrivals.take(100.0), arrivals.take(100.0), arrivals.take(100.9)]

    assert taken == pytest.approx([100.0, 100.1, 100.2])
    assert arrivals.take_dropped() == 0


def test_an_arrival_that_nobody_came_to_in_time_is_dropped() -> None:
    arrivals = Arrivals(lambda: 10.0, next_seconds=100.0)

    due = arrivals.take(100.55 + PATIENCE_SECONDS)

    assert due == pytest.approx(100.6)
    assert arrivals.take_dropped() == 6
    assert arrivals.take_dropped() == 0


def test_what_was_overdue_at_the_end_is_dropped_and_what_was_just_due_is_not() -> None:
    arrivals = Arrivals(lambda: 10.0, next_seconds=100.0)

    arrivals.end(100.35)

    assert arrivals.take_dropped() == 3


def test_a_share_that_grows_is_followed() -> None:
    rates = iter([1.0, 1.0, 2.0, 2.0])
    arrivals = Arrivals(lambda: next(rates), next_seconds=0.0)

    assert [arrivals.take(0.0) for _ in range(4)] == [0.0, 1.0, 2.0, 2.5]


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "workers"])
def test_a_rate_is_that_of_all_users_together(
    processes: tuple[str, ...], server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.02

    code, said = generator.run("-t", "4s", "--arrival-rate", "20", *processes)

    result = generator.result
    assert code == 0, said
    assert "harness: rate   pass         20 a second" in said
    # Four seconds of twenty, less what the start of the users takes.
    assert 50 <= result.tally.requests + result.tally.dropped <= 84


def test_a_rate_that_the_users_cannot_send_is_no_verdict(
    server: CountingServer, generator: Generator
) -> None:
    server.seconds = 0.5

    code, said = generator.run("-t", "4s", "--arrival-rate", "40")

    latency = generator.result.tally.good_latency()
    assert "harness: rate   inconclusive" in said
    assert "harness: load" not in said
    assert latency.percentile(0.5) > 1.0, "counts from the time that was intended"
    assert code == 3
