"""What the exhaustion probe says in the end, of a pool that ran dry and of one that did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.campaign.drought.ending import ended
from harness.campaign.drought.run import Dried
from harness.campaign.drought.story import Drought
from harness.campaign.outcome import Outcome
from harness.capture.traffic import ExhaustionStory, RequestOutcome
from harness.capture.traffic import Outcome as Ended
from harness.capture.windows import LoadWindow
from harness.checks.exhaustion_limits import Backends
from harness.findings import Verdict
from tests.checks.load.building import load, with_pool

DROUGHT = Drought(users=8, capacity=2, timeout_seconds=1.0, seconds=3.0)
STORY = ExhaustionStory(
    users=8,
    pool_capacity=2,
    pool_timeout_seconds=1.0,
    blocked_from_seconds=2.0,
    blocked_until_seconds=5.0,
    outcomes=(RequestOutcome(2.5, 0.5, Ended.OK),) * 34,
    recovery_seconds=0.5,
    checked_out_at_rest=0,
    has_served_while_dry=True,
)
WINDOW = load(pool=2, rate=10, hold=0.1, wait=0.0, cpu=0.1, active=1.0, idle_in_transaction=0.0)
WET = with_pool(WINDOW, peak_checked_out=1, peak_waiting=0, timeouts=0)
DRY = with_pool(WINDOW, peak_waiting=6)
NEVER_DRY = "the pool never ran dry: nobody is known to have waited for a connection; "


def outcome(meanwhile: LoadWindow, story: ExhaustionStory = STORY) -> Outcome:
    return ended(
        DROUGHT,
        Dried(story, 100.0, ()),
        before=WINDOW,
        meanwhile=meanwhile,
        names=("GET /live", "GET /tags"),
        backends=Backends(2, allowed=2),
    )


def test_a_pool_that_ran_dry_has_its_story_and_what_others_felt() -> None:
    told = outcome(DRY)

    assert told.verdicts[0].verdict is Verdict.PASS
    assert told.exhaustion == STORY
    assert [each.name for each in told.troubles] == ["a cheap route beside the dry pool"]
    assert [phase.name for phase in told.phases] == ["before", "exhausted"]


@pytest.mark.parametrize(
    ("is_by_users", "remedy"),
    [
        (True, "send more users than 8 (--users), or let more of them in at once"),
        (False, "request routes whose statements wait for a table (--plan)"),
    ],
    ids=["users", "lock"],
)
def test_a_pool_that_never_ran_dry_is_inconclusive_with_what_to_do(
    is_by_users: bool, remedy: str
) -> None:
    few = tuple(replace(item, offset_seconds=1.6) for item in STORY.outcomes[:10])
    story = replace(STORY, has_served_while_dry=is_by_users, outcomes=few)

    (verdict,) = outcome(WET, story).verdicts

    assert (verdict.verdict, verdict.summary) == (Verdict.INCONCLUSIVE, NEVER_DRY + remedy)


def test_no_story_says_what_happened_while_a_pool_was_dry_that_never_was() -> None:
    told = outcome(WET)

    assert told.exhaustion is None
    assert told.troubles == ()
    assert [phase.name for phase in told.phases] == ["before", "not exhausted"]
    assert told.phases[1].windows == (WET,)


def test_harm_has_its_story_though_nobody_is_known_to_have_waited() -> None:
    leaking = replace(STORY, checked_out_at_rest=1)

    told = outcome(WET, leaking)

    assert told.verdicts[0].verdict is Verdict.FAIL
    assert told.exhaustion == leaking
