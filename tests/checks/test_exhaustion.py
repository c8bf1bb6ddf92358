"""The verdict on an exhausted pool rests on what its clients got, not on the clock."""

from dataclasses import replace
from typing import Any

import pytest

from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome
from harness.checks.exhaustion import exhaustion
from harness.findings import Verdict

_SECONDS = {"ok": 8.5, "shed": 1.0, "error": 1.0, "hang": 8.5}
"""Whoever is served has waited for the end of the block."""


def _story(**outcomes: int) -> ExhaustionStory:
    """Requests that met the block, so many of each outcome."""
    return ExhaustionStory(
        users=20,
        pool_capacity=5,
        pool_timeout_seconds=1.0,
        blocked_from_seconds=10.0,
        blocked_until_seconds=20.0,
        outcomes=tuple(
            RequestOutcome(offset_seconds=12.0, seconds=_SECONDS[name], outcome=Outcome(name))
            for name, count in outcomes.items()
            for _ in range(count)
        ),
        recovery_seconds=0.4,
    )


@pytest.mark.parametrize(
    ("outcomes", "verdict", "word"),
    [
        ({"ok": 12}, Verdict.PASS, "queues"),
        ({"ok": 6, "shed": 6}, Verdict.PASS, "sheds"),
        ({"ok": 6, "shed": 5, "error": 1}, Verdict.FAIL, "errors"),
        ({"ok": 6, "error": 5, "hang": 1}, Verdict.FAIL, "hangs"),
    ],
    ids=["queues", "sheds", "errors", "hangs"],
)
def test_the_worst_answer_decides(outcomes: dict[str, int], verdict: Verdict, word: str) -> None:
    judged = exhaustion(_story(**outcomes))

    assert (judged.probe, judged.verdict) == ("exhaustion", verdict)
    assert judged.summary.startswith(f"{word}: ")


def test_the_summary_has_the_numbers() -> None:
    summary = exhaustion(_story(ok=6, shed=5)).summary

    assert summary == "sheds: 6 ok, 5 shed; back 0.4 s after the block"


def test_a_way_back_that_takes_no_time_is_told_without_a_number() -> None:
    summary = exhaustion(replace(_story(ok=6, shed=5), recovery_seconds=0.013)).summary

    assert summary.endswith("back at once after the block")


def test_an_application_that_does_not_come_back_collapses() -> None:
    judged = exhaustion(replace(_story(shed=12), recovery_seconds=None))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith("collapses: ")


@pytest.mark.parametrize("recovery_seconds", [0.4, None])
def test_too_few_requests_that_do_no_harm_are_inconclusive(recovery_seconds: float | None) -> None:
    judged = exhaustion(replace(_story(ok=5, shed=4), recovery_seconds=recovery_seconds))

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "only 9 requests" in judged.summary


@pytest.mark.parametrize(
    ("story", "word"),
    [
        (_story(hang=8), "hangs"),
        (_story(ok=7, error=1), "errors"),
        (replace(_story(hang=8), recovery_seconds=None), "collapses"),
        (replace(_story(ok=3), checked_out_at_rest=2), "leaks"),
    ],
    ids=["hangs", "errors", "collapses", "leaks"],
)
def test_harm_needs_no_number_of_requests(story: ExhaustionStory, word: str) -> None:
    judged = exhaustion(story)

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith(f"{word}: ")


@pytest.mark.parametrize(
    ("offset_seconds", "seconds"),
    [(0.0, 5.0), (9.0, 1.0), (20.0, 0.5)],
    ids=["early", "at", "late"],
)
def test_requests_beside_the_block_do_not_count(offset_seconds: float, seconds: float) -> None:
    story = _story(ok=12)
    beside = RequestOutcome(offset_seconds, seconds, Outcome.HANG)

    judged = exhaustion(replace(story, outcomes=(*story.outcomes, beside)))

    assert judged.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("offset_seconds", "seconds"), [(9.0, 2.0), (19.9, 5.0), (5.0, 30.0)], ids=["in", "out", "over"]
)
def test_requests_that_overlap_the_block_count(offset_seconds: float, seconds: float) -> None:
    story = _story(ok=12)
    across = RequestOutcome(offset_seconds, seconds, Outcome.HANG)

    judged = exhaustion(replace(story, outcomes=(*story.outcomes, across)))

    assert judged.verdict is Verdict.FAIL


def test_slow_answers_alone_are_no_fault() -> None:
    story = _story(ok=12)
    slow = tuple(replace(outcome, seconds=500.0) for outcome in story.outcomes)

    assert exhaustion(replace(story, outcomes=slow)).verdict is Verdict.PASS


def test_statements_that_no_lock_stops_leave_the_pool_undecided() -> None:
    story = _story(ok=12)
    quick = tuple(replace(outcome, seconds=0.01) for outcome in story.outcomes)

    judged = exhaustion(replace(story, outcomes=quick))

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.summary == (
        "12 were answered while all tables were locked: their statements touch none"
    )


@pytest.mark.parametrize(
    "beside",
    [
        {"outcomes": (RequestOutcome(10.0, 0.01, Outcome.OK),) * 5},
        {"outcomes": (RequestOutcome(11.0, 0.01, Outcome.OK),) * 40, "has_served_while_dry": True},
        {"outcomes": (RequestOutcome(15.0, 4.99, Outcome.OK),) * 40},
    ],
    ids=["before the pool was dry", "no table was locked", "as the locks went"],
)
def test_good_answers_that_a_dry_pool_explains_are_judged(beside: dict[str, Any]) -> None:
    story = _story(ok=12)
    outcomes = (*story.outcomes, *beside.pop("outcomes", ()))

    assert exhaustion(replace(story, outcomes=outcomes, **beside)).verdict is Verdict.PASS


def test_what_fails_is_told_though_statements_touch_no_table() -> None:
    story = _story(ok=12, error=1)
    quick = tuple(replace(outcome, seconds=0.01) for outcome in story.outcomes)

    assert exhaustion(replace(story, outcomes=quick)).verdict is Verdict.FAIL
