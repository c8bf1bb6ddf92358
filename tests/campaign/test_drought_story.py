"""What clients and counts have noted becomes a story on one clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from harness.campaign.drought.side import SideAnswer
from harness.campaign.drought.story import (
    Drought,
    Noted,
    answers_by_second,
    recovered_seconds,
    served_wait,
    story_of,
)
from harness.capture.histogram import Histogram
from harness.capture.traffic import Outcome
from harness.checks.exhaustion_limits import log_bytes_per_failure
from harness.load.result import LoadResult, Sample
from harness.load.tally import Tally

DROUGHT = Drought(users=8, capacity=2, timeout_seconds=1.0, seconds=3.0, hold_seconds=0.2)


def result(*samples: Sample) -> LoadResult:
    """Of users who came at 102 and were told to leave at 105."""
    return LoadResult(102.0, 3.0, 8, Tally(), samples=samples)


def asked(*started: float, outcome: Outcome = Outcome.OK) -> tuple[SideAnswer, ...]:
    return tuple(SideAnswer(each, 0.01, outcome) for each in started)


NOTED = Noted(
    began_seconds=100.0,
    dry_from_seconds=102.0,
    dry_until_seconds=105.0,
    result=result(
        Sample(0.0, 0.2, "GET /orders", Outcome.OK), Sample(0.0, 1.0, "GET /orders", Outcome.SHED)
    ),
    beside=asked(101.0, 103.0, 105.2, 105.3, 105.4, 105.5, 105.6),
    rest_seconds=105.35,
    log_bytes=300,
    checked_out_at_rest=0,
)


def test_everything_is_counted_from_the_first_request_beside() -> None:
    story = story_of(DROUGHT, NOTED)

    assert (story.blocked_from_seconds, story.blocked_until_seconds) == (2.0, 5.0)
    assert [item.offset_seconds for item in story.outcomes[:3]] == pytest.approx([1.0, 2.0, 2.0])


def test_requests_beside_a_dry_pool_are_not_those_of_the_users() -> None:
    story = story_of(DROUGHT, NOTED)

    offsets = [item.offset_seconds for item in story.outcomes]
    assert len(offsets) == 8
    assert 3.0 not in offsets


def test_it_is_back_when_answers_are_good_and_the_pool_is_at_rest() -> None:
    answered = replace(NOTED, rest_seconds=105.05)

    assert recovered_seconds(DROUGHT, answered) == pytest.approx(0.21)
    assert recovered_seconds(DROUGHT, NOTED) == pytest.approx(0.35)


def test_after_a_lock_the_answers_alone_tell() -> None:
    assert recovered_seconds(replace(DROUGHT, is_locked=True), NOTED) == pytest.approx(0.21)


def test_four_good_answers_in_a_row_are_not_enough() -> None:
    interrupted = (*asked(105.2, 105.3, 105.4, 105.5), *asked(105.6, outcome=Outcome.SHED))

    assert recovered_seconds(DROUGHT, replace(NOTED, beside=interrupted)) is None


def test_a_pool_that_never_rests_has_lost_connections_and_may_still_answer() -> None:
    assert recovered_seconds(DROUGHT, replace(NOTED, rest_seconds=None)) == pytest.approx(0.21)


def test_while_tables_are_locked_nobody_is_served() -> None:
    waits = Histogram()
    waits.add(0.1)
    noted = replace(NOTED, served_wait=waits.distribution())

    assert story_of(DROUGHT, noted).served_wait is not None
    locked = story_of(replace(DROUGHT, is_locked=True), noted)
    assert (locked.served_wait, locked.has_served_while_dry) == (None, False)


def test_the_log_of_requests_that_are_not_in_the_story_is_not_laid_to_it() -> None:
    failed = asked(103.0, 104.0, outcome=Outcome.SHED)

    assert story_of(DROUGHT, NOTED).log_bytes == 300
    assert story_of(DROUGHT, replace(NOTED, beside=failed)).log_bytes == 100
    assert story_of(DROUGHT, replace(NOTED, log_bytes=None)).log_bytes is None


@pytest.mark.parametrize("moments", [(103.0, 104.0), (103.0, 105.2), (105.2, 105.3)])
def test_the_log_per_failure_is_that_of_all_failures_whenever_they_came(
    moments: tuple[float, ...],
) -> None:
    failed = asked(*moments, outcome=Outcome.SHED)

    assert log_bytes_per_failure(story_of(DROUGHT, replace(NOTED, beside=failed))) == 100


def status(waits: Iterable[float], *, timeouts: int = 0) -> dict[int, dict[str, Any]]:
    histogram = Histogram()
    for seconds in waits:
        histogram.add(seconds)
    pool = {"name": "pool", "timeouts": timeouts, "wait": histogram.as_json()}
    return {7: {"pools": [pool]}}


def test_waits_in_vain_are_not_those_of_anybody_who_was_served() -> None:
    before = status([0.001])
    after = status([0.001, 0.1, 0.3, 1.0, 1.0], timeouts=2)

    told = served_wait(before, after)

    assert told is not None
    assert told.count == 2
    assert told.mean_seconds == pytest.approx(0.2, rel=0.2)
    assert told.max_seconds == pytest.approx(0.3, rel=0.2)


def test_a_process_that_began_meanwhile_waited_from_nothing() -> None:
    told = served_wait({}, status([0.1]))

    assert told is not None
    assert told.count == 1


def test_where_nobody_was_served_nobody_waited() -> None:
    assert served_wait({}, status([1.0, 1.0], timeouts=2)) is None
    assert served_wait({}, {}) is None


def test_answers_count_in_the_second_in_which_they_end() -> None:
    late = SideAnswer(100.5, 1.0, Outcome.SHED)

    counted = answers_by_second((*asked(100.0, 100.1), late), began_seconds=100.0)

    assert [(each.second, each.ok, each.shed) for each in counted] == [(0, 2, 0), (1, 0, 1)]
