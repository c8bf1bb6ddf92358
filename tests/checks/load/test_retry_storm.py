"""A retry shows in two figures at once: timeouts per failure, and how long failures take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome
from harness.capture.windows import LoadWindow
from harness.checks.load.retry_storm import retry_storm
from harness.findings import Severity
from tests.checks.load.building import ENDPOINT, ROUTE, load

SHED = RequestOutcome(12.0, 4.1, Outcome.SHED)
STORY = ExhaustionStory(
    users=40,
    pool_capacity=2,
    pool_timeout_seconds=1.0,
    blocked_from_seconds=10.0,
    blocked_until_seconds=20.0,
    outcomes=(*(RequestOutcome(12.0, 0.9, Outcome.OK),) * 30, *(SHED,) * 10),
    recovery_seconds=4.4,
    has_served_while_dry=True,
)
DRY = load(pool=2, rate=10, hold=0.2, wait=3.0, cpu=0.1, active=2.0, idle_in_transaction=0.0)
BESIDE = replace(DRY.routes[0], route="GET /tags", shed=8, peak_concurrency=2)


def dry(timeouts: int) -> LoadWindow:
    return replace(DRY, pools=(replace(DRY.pools[0], timeouts=timeouts),))


def test_four_attempts_are_named_with_the_route_and_the_line() -> None:
    beside = replace(dry(40), routes=(BESIDE, *DRY.routes))

    (finding,) = retry_storm(beside, STORY)

    assert (finding.kind, finding.anchor, finding.site) == ("retry-storm", ROUTE, ENDPOINT)
    assert finding.severity is Severity.WARNING
    assert finding.title.startswith("40 pool timeouts for 10 failed requests")
    assert finding.fix.startswith("answer 503 with Retry-After after the first timeout")


@pytest.mark.parametrize("timeouts", [0, 10, 19])
def test_one_timeout_per_failure_is_no_storm(timeouts: int) -> None:
    assert retry_storm(dry(timeouts), STORY) == ()


def test_several_tasks_of_one_request_time_out_at_the_same_time() -> None:
    at_once = replace(STORY, outcomes=(replace(SHED, seconds=1.1),) * 10)

    assert retry_storm(dry(40), at_once) == ()


def test_a_client_that_gives_up_first_is_a_failure_too() -> None:
    hung = replace(STORY, outcomes=(replace(SHED, seconds=2.0, outcome=Outcome.HANG),) * 10)

    assert len(retry_storm(dry(40), hung)) == 1


def test_four_failures_prove_nothing() -> None:
    assert retry_storm(dry(40), replace(STORY, outcomes=(SHED,) * 4)) == ()


def test_where_no_route_is_known_it_is_the_whole_application() -> None:
    nobody = replace(dry(40), routes=())

    (finding,) = retry_storm(nobody, STORY)
    assert (finding.anchor, finding.site) == ("the whole application", None)
