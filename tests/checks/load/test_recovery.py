"""The way back from a trouble: what is a failure, what only a warning, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.capture.traffic import Outcome, RequestOutcome
from harness.capture.trouble import TroubleStory
from harness.checks.load.judged import Judged
from harness.checks.load.recovery import KINDS, limit_seconds, recovery
from harness.findings import Verdict


def answers(
    seconds: Sequence[float], outcome: Outcome = Outcome.OK, *, took: float = 0.01
) -> tuple[RequestOutcome, ...]:
    return tuple(RequestOutcome(second, took, outcome) for second in seconds)


BEFORE = answers([number / 20 for number in range(20)])
DURING = answers([1.1, 1.3, 1.5], Outcome.SHED)
AFTER = answers([2.0 + number / 20 for number in range(40)])
LATER = answers([5.5 + number / 20 for number in range(10)])
HEALTHY = TroubleStory(
    probe="recovery-killed",
    trouble="backends killed",
    begins_seconds=1.0,
    ends_seconds=2.0,
    until_seconds=9.0,
    down_seconds=1.0,
    answers=(*BEFORE, *DURING, *AFTER),
    recovery_seconds=0.01,
    pool_timeout_seconds=1.0,
    hold_seconds=0.02,
    most_connections=10,
    leaves_stale=True,
    checked_out_at_rest=0,
    backends_at_rest=5,
    backends_before=5,
)


def with_failures(*offsets: float, outcome: Outcome = Outcome.ERROR) -> TroubleStory:
    return replace(HEALTHY, answers=(*HEALTHY.answers, *answers(offsets, outcome)))


def kinds(judged: Judged) -> list[str]:
    return [finding.kind for finding in judged.findings]


def test_failures_while_it_lasts_are_expected() -> None:
    judged = recovery(HEALTHY)

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.probe == "recovery-killed"
    assert judged.verdict.summary == (
        "back 10.0 ms after the trouble; 3 of 3 requests failed meanwhile, none after, "
        "no connection out"
    )


def test_a_request_that_was_sent_meanwhile_may_fail_later() -> None:
    late = answers([1.9], Outcome.ERROR, took=1.0)
    judged = recovery(replace(HEALTHY, answers=(*BEFORE, *late, *AFTER)))

    assert judged.verdict.verdict is Verdict.PASS


def test_who_is_not_back_within_the_limit_has_failed() -> None:
    judged = recovery(replace(HEALTHY, recovery_seconds=None))

    assert judged.verdict.verdict is Verdict.FAIL
    assert kinds(judged) == ["no-recovery"]
    assert judged.verdict.summary == "backends killed: requests still fail 7.0 s later"


def test_a_few_good_answers_in_between_are_not_the_way_back() -> None:
    story = with_failures(*(2.5 + number / 4 for number in range(7)))

    assert kinds(recovery(replace(story, most_connections=99))) == ["no-recovery"]
    assert recovery(replace(story, until_seconds=4.1)).verdict.verdict is Verdict.INCONCLUSIVE


def test_who_was_not_watched_up_to_the_limit_is_not_judged() -> None:
    judged = recovery(replace(HEALTHY, recovery_seconds=None, until_seconds=4.4))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert "2.4 s after backends killed, and 2.5 s are allowed" in judged.verdict.summary


def test_the_limit_are_the_waits_that_may_have_begun_and_the_time_of_the_outage() -> None:
    assert limit_seconds(HEALTHY) == pytest.approx(1.0 + 0.02 + 1.0 + 0.5)


def test_whoever_comes_back_late_is_warned_of() -> None:
    judged = recovery(replace(HEALTHY, recovery_seconds=2.6))

    assert judged.verdict.verdict is Verdict.WARN
    assert kinds(judged) == ["slow-recovery"]


def test_dead_connections_that_the_pool_gives_out_are_a_warning_with_the_fix() -> None:
    judged = recovery(with_failures(2.0, 3.5))

    assert judged.verdict.verdict is Verdict.WARN
    assert kinds(judged) == ["stale-connection"]
    assert "pool_pre_ping=True" in judged.findings[0].fix
    assert judged.findings[0].identity == (
        "stale-connection backends killed @ the whole application"
    )


def test_the_routes_that_failed_are_named_as_far_as_there_is_room() -> None:
    routes = (("POST /todos", 2), ("GET /a", 1), ("GET /b", 1), ("GET /c", 1), ("GET /d", 1))

    judged = recovery(replace(with_failures(2.0, 3.5), failing=routes))

    evidence = dict(judged.findings[0].evidence)
    assert (evidence["at POST /todos"], evidence["at GET /b"]) == ("2", "1")
    assert evidence["at others"] == "2 routes"


def test_more_failures_than_there_are_connections_are_no_dead_connections() -> None:
    story = with_failures(*(2.0 + number / 100 for number in range(11)))

    assert kinds(recovery(story)) == ["slow-recovery"]
    assert kinds(recovery(replace(story, most_connections=11))) == ["stale-connection"]


@pytest.mark.parametrize(("last", "kind"), [(3.0, "slow-recovery"), (5.0, "failure-after-trouble")])
def test_without_a_bound_of_connections_failures_are_no_dead_ones(last: float, kind: str) -> None:
    story = replace(with_failures(2.0, last), most_connections=None)

    assert kinds(recovery(replace(story, answers=(*story.answers, *LATER)))) == [kind]


def test_failures_after_a_trouble_that_leaves_no_dead_connections() -> None:
    soon = replace(with_failures(3.0), leaves_stale=False)
    late = replace(with_failures(3.7), leaves_stale=False, down_seconds=0.0)

    assert kinds(recovery(soon)) == ["slow-recovery"]
    assert kinds(recovery(late)) == ["failure-after-trouble"]


def test_a_request_without_an_answer_has_failed_whenever_it_was_sent() -> None:
    meanwhile = answers([1.2], Outcome.HANG, took=10.0)
    judged = recovery(replace(HEALTHY, answers=(*HEALTHY.answers, *meanwhile)))

    assert judged.verdict.verdict is Verdict.FAIL
    assert kinds(judged) == ["hanging-request"]


def test_connections_that_stay_out_have_failed() -> None:
    judged = recovery(replace(HEALTHY, checked_out_at_rest=2))

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.verdict.summary == "backends killed: 2 connections did not come back"


def test_a_process_that_has_ended_has_failed() -> None:
    judged = recovery(replace(HEALTHY, processes_gone=1, checked_out_at_rest=None))

    assert kinds(judged) == ["ended-process"]
    assert judged.verdict.summary == "backends killed: 1 process of the application ended"


def test_nothing_passes_in_the_name_of_a_process_that_was_not_read() -> None:
    why = "process 4711 was not read at the end of the load: it timed out"

    half_read = recovery(HEALTHY, unless=why).verdict

    assert (half_read.verdict, half_read.summary) == (Verdict.INCONCLUSIVE, why)
    assert kinds(recovery(with_failures(2.0), unless=why)) == ["stale-connection"]


def test_connections_that_no_pool_has_are_warned_of() -> None:
    judged = recovery(replace(HEALTHY, backends_at_rest=12))

    assert judged.verdict.verdict is Verdict.WARN
    assert kinds(judged) == ["orphaned-connection"]


@pytest.mark.parametrize(
    "known",
    [
        replace(HEALTHY, backends_at_rest=12, backends_before=12),
        replace(HEALTHY, backends_at_rest=12, backends_before=None),
        replace(HEALTHY, backends_at_rest=12, most_connections=None),
        replace(HEALTHY, backends_at_rest=None),
    ],
)
def test_connections_that_were_there_before_or_nobody_counted_are_left_alone(
    known: TroubleStory,
) -> None:
    assert recovery(known).verdict.verdict is Verdict.PASS


def test_too_few_good_answers_before_it_decide_nothing() -> None:
    judged = recovery(replace(HEALTHY, answers=(*BEFORE[:9], *DURING, *AFTER)))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary == "only 9 good answers before the trouble, 10 needed"


def test_the_worst_of_several_is_told_first() -> None:
    judged = recovery(replace(with_failures(2.0), checked_out_at_rest=1))

    assert kinds(judged) == ["connection-leak", "stale-connection"]
    assert set(kinds(judged)) <= KINDS
