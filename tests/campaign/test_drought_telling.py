"""What a report says of a drought, beside its story."""

from __future__ import annotations

from dataclasses import replace

from harness.campaign.drought.run import Dried
from harness.campaign.drought.side import SideAnswer
from harness.campaign.drought.story import Drought
from harness.campaign.drought.telling import setting, timeline
from harness.capture.traffic import Distribution, ExhaustionStory, Outcome, RequestOutcome
from harness.checks.exhaustion_limits import Backends

DROUGHT = Drought(users=8, capacity=2, timeout_seconds=1.0, seconds=3.0)
STORY = ExhaustionStory(
    users=8,
    pool_capacity=2,
    pool_timeout_seconds=1.0,
    blocked_from_seconds=2.0,
    blocked_until_seconds=5.0,
    outcomes=(RequestOutcome(2.5, 1.0, Outcome.SHED),) * 2,
    recovery_seconds=0.5,
    without_database=Distribution(30, 0.004, 0.004, 0.01, 0.02, 0.02),
    log_bytes=600,
    checked_out_at_rest=0,
)
DRIED = Dried(STORY, 100.0, (SideAnswer(103.0, 1.0, Outcome.SHED),))
NAMES = ("GET /live", "GET /tags")


def test_the_setting_says_by_what_the_pool_runs_dry() -> None:
    assert setting(DROUGHT) == "8 users against 2 connections for 3 s, by users alone"
    assert setting(replace(DROUGHT, is_locked=True)).endswith("3 s, all tables locked")


def test_the_setting_names_the_route_that_all_users_request() -> None:
    told = setting(replace(DROUGHT, route="GET /orders"))

    assert told == "8 users on GET /orders against 2 connections for 3 s, by users alone"


def test_the_longest_lock_is_told_to_be_so() -> None:
    longest = replace(DROUGHT, seconds=60.0, is_locked=True)

    assert setting(longest) == (
        "8 users against 2 connections for 1 min (the longest), all tables locked"
    )


def test_the_timeline_is_that_of_the_route_beside() -> None:
    told = timeline(DROUGHT, DRIED, names=NAMES, backends=Backends(2, allowed=4))

    assert (told.begins_seconds, told.ends_seconds, told.recovered_seconds) == (2.0, 5.0, 5.5)
    assert [(each.second, each.shed) for each in told.answers] == [(4, 1)]
    assert told.probe == "exhaustion"
    assert dict(told.facts) == {
        "GET /live, without a database: p99": "20 ms",
        "log per failure": "0.3 kB",
        "connections out at rest": "0",
        "server processes at rest": "2, 4 at most",
    }


def test_what_never_came_back_is_told_so() -> None:
    lost = replace(DRIED, story=replace(STORY, recovery_seconds=None))

    told = timeline(DROUGHT, lost, names=NAMES, backends=Backends(2, allowed=4))
    assert told.recovered_seconds is None
