"""A pool that was never dry says nothing of exhaustion, however good the answers were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.campaign.drought.dryness import judged_if_dry
from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome
from harness.findings import ProbeVerdict, Verdict
from tests.checks.load.building import load, with_pool

GOOD = RequestOutcome(2.5, 1.0, Outcome.OK)
STORY = ExhaustionStory(
    users=8,
    pool_capacity=2,
    pool_timeout_seconds=1.0,
    blocked_from_seconds=2.0,
    blocked_until_seconds=5.0,
    outcomes=(GOOD,) * 34,
    recovery_seconds=0.5,
)
QUEUES = ProbeVerdict("exhaustion", Verdict.PASS, "queues: 34 ok; back 0.5 s after the load")
NEVER_DRY = with_pool(
    load(pool=2, rate=10, hold=0.1, wait=0.0, cpu=0.1, active=1.0, idle_in_transaction=0.0),
    peak_checked_out=1,
    peak_waiting=0,
    timeouts=0,
)
ALL_OUT = with_pool(NEVER_DRY, peak_checked_out=2)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.WARN])
def test_good_answers_of_a_pool_for_which_nobody_waited_are_inconclusive(verdict: Verdict) -> None:
    judged = judged_if_dry(replace(QUEUES, verdict=verdict), STORY, NEVER_DRY)

    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.summary.startswith("the pool never ran dry")


@pytest.mark.parametrize("evidence", [{"peak_waiting": 1}, {"timeouts": 1}])
def test_a_wait_or_a_timeout_is_evidence_of_a_dry_pool(evidence: dict[str, int]) -> None:
    assert judged_if_dry(QUEUES, STORY, with_pool(NEVER_DRY, **evidence)) == QUEUES


def test_an_application_that_lets_in_as_many_as_it_has_connections_queues() -> None:
    assert judged_if_dry(QUEUES, STORY, ALL_OUT) == QUEUES


def test_all_connections_out_keep_nobody_waiting_who_has_one() -> None:
    served = replace(STORY, users=2)

    assert judged_if_dry(QUEUES, served, ALL_OUT).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("is_all_out", [True, False])
def test_with_several_processes_all_of_them_have_given_out_everything(is_all_out: bool) -> None:
    (full,), (idle,) = ALL_OUT.pools, NEVER_DRY.pools
    both = replace(ALL_OUT, pools=(full, full if is_all_out else idle))

    judged = judged_if_dry(QUEUES, replace(STORY, pool_capacity=4), both)

    assert (judged == QUEUES) is is_all_out


def test_another_pool_that_is_all_out_is_not_the_one_in_question() -> None:
    (idle,) = NEVER_DRY.pools
    of_one = replace(idle, name="pool 2", size=1)

    judged = judged_if_dry(QUEUES, STORY, replace(NEVER_DRY, pools=(idle, of_one)))

    assert judged.verdict is Verdict.INCONCLUSIVE


def test_requests_that_were_shed_are_evidence_too() -> None:
    shed = replace(STORY, outcomes=(*STORY.outcomes, replace(GOOD, outcome=Outcome.SHED)))

    assert judged_if_dry(QUEUES, shed, NEVER_DRY) == QUEUES


def test_harm_is_told_though_the_pool_was_never_dry() -> None:
    leaks = ProbeVerdict("exhaustion", Verdict.FAIL, "leaks: 1 connection did not come back")

    assert judged_if_dry(leaks, STORY, NEVER_DRY) == leaks
