"""The verdict on an exhausted pool rests on what its clients got, not on the clock."""

from dataclasses import replace

import pytest

from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome
from harness.checks.exhaustion import exhaustion
from harness.findings import Verdict


def _story(**outcomes: int) -> ExhaustionStory:
    """Requests that met the block, so many of each outcome."""
    return ExhaustionStory(
        users=20,
        pool_capacity=5,
        pool_timeout_seconds=1.0,
        blocked_from_seconds=10.0,
        blocked_until_seconds=20.0,
        outcomes=tuple(
            RequestOutcome(offset_seconds=12.0, seconds=1.0, outcome=Outcome(name))
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


def test_an_application_that_does_not_come_back_collapses() -> None:
    judged = exhaustion(replace(_story(shed=12), recovery_seconds=None))

    assert judged.verdict is Verdict.FAIL
    assert judged.summary.startswith("collapses: ")


def test_too_few_requests_are_inconclusive_even_if_they_hang() -> None:
    judged = exhaustion(_story(hang=9))

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "only 9 requests" in judged.summary


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
