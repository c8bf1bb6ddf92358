"""From stretches of load to the facts of a trouble, and to the picture of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.campaign.ground import Slice
from harness.campaign.recovering.story import (
    Held,
    Stay,
    joined,
    most_connections,
    picture_of,
    story_of,
)
from harness.capture.traffic import Distribution, Outcome
from harness.capture.windows import (
    ClientWindow,
    LoadWindow,
    MachineWindow,
    PoolWindow,
    Reading,
    UnreadProcess,
)
from harness.load.result import LoadResult, Sample
from harness.load.tally import Tally
from harness.report.load_content import AnswersInSecond
from harness.rig.protocol import Stretch

NOTHING = Distribution(0, 0.0, 0.0, 0.0, 0.0, 0.0)
POOL = PoolWindow(
    name="QueuePool",
    size=3,
    max_overflow=2,
    timeout_seconds=1.5,
    checkouts=10,
    timeouts=0,
    creations=3,
    reclaimed=0,
    peak_checked_out=3,
    peak_waiting=0,
    waiting_share=0.0,
    wait=NOTHING,
    hold=NOTHING,
    busy_seconds=0.0,
)
STATUS = {"pools": [{"checked_out": 1}, {"checked_out": 2}]}


def sample(at: float, outcome: Outcome = Outcome.OK, *, route: str = "GET /posts") -> Sample:
    return Sample(at, 0.1, route, outcome)


def measured(*samples: Sample, started: float = 100.0) -> Slice:
    client = ClientWindow(2, len(samples), len(samples), 0, 0, 0, 0, NOTHING)
    return Slice(
        LoadWindow(4.0, 1, 0.1, 0.4, client, pools=(POOL, replace(POOL, name="other"))),
        LoadResult(started, 4.0, 2, Tally(), samples=samples),
        Stretch(
            seconds=4.0,
            server=None,
            why_no_server="",
            machine=MachineWindow(2, 0.1, 0.0),
            before={1: STATUS, 2: STATUS},
            after={1: STATUS},
            at_rest={1: STATUS},
            silent=(),
            series=(),
        ),
    )


def held(*samples: Sample) -> Held:
    return Held(
        probe="recovery-cut",
        name="network cut",
        setting="all connections reset",
        begins_seconds=1.0,
        ends_seconds=2.0,
        down_seconds=1.0,
        samples=samples,
        until_seconds=4.0,
        slices=(measured(*samples),),
        leaves_stale=True,
        backends=4,
    )


WINDOW = measured().window
HALF_READ = replace(WINDOW, pools=(POOL,), unread=(UnreadProcess(2, Reading.END, "it timed out"),))
GOOD = tuple(sample(0.1 * number) for number in range(8))
BACK = tuple(sample(2.3 + 0.1 * number) for number in range(8))


def test_the_facts_are_those_of_the_stretch() -> None:
    story = story_of(held(*GOOD, sample(1.2, Outcome.ERROR), *BACK), Stay(0.02, 5, 10))

    assert (story.good_before, len(story.met), story.failed_during) == (8, 1, 1)
    assert story.recovery_seconds == pytest.approx(0.4)
    assert (story.pool_timeout_seconds, story.hold_seconds) == (1.5, 0.02)
    assert (story.most_connections, story.backends_at_rest, story.backends_before) == (10, 4, 5)
    assert story.checked_out_at_rest == 3


def test_a_route_that_failed_before_says_nothing_and_is_named() -> None:
    broken = [sample(at, Outcome.ERROR, route="GET /broken") for at in (0.2, 2.0, 2.5, 3.0)]

    story = story_of(held(*GOOD, *broken, *BACK), Stay())

    assert story.left_out == ("GET /broken",)
    assert list(story.failed_after()) == []
    assert story.recovery_seconds == pytest.approx(0.4)


def test_a_route_that_nobody_requested_before_says_nothing() -> None:
    story = story_of(held(*GOOD, sample(2.1, Outcome.ERROR, route="GET /new"), *BACK), Stay())

    assert list(story.failed_after()) == []
    assert story.left_out == ()


def test_routes_that_failed_afterwards_or_gave_no_answer_are_counted() -> None:
    failed = [sample(at, Outcome.ERROR) for at in (1.2, 2.1, 2.2)]
    hung = sample(1.5, Outcome.HANG, route="GET /tags")

    story = story_of(held(*GOOD, sample(0.5, route="GET /tags"), *failed, hung, *BACK), Stay())

    assert story.failing == (("GET /posts", 2), ("GET /tags", 1))


def test_what_the_application_refuses_is_no_failure() -> None:
    refused = [sample(at, Outcome.REFUSED) for at in (0.2, 2.35, 2.55)]

    story = story_of(held(*GOOD, *refused, *BACK), Stay())

    assert story.recovery_seconds == pytest.approx(0.4)
    assert len(story.answers) == len(GOOD) + len(BACK)


def test_without_a_bound_of_a_pool_there_is_none_of_all() -> None:
    unbounded = replace(WINDOW, pools=(POOL, replace(POOL, size=None)))

    assert most_connections((unbounded, unbounded)) is None


def test_pools_of_a_process_that_was_not_read_are_no_bound() -> None:
    assert most_connections((HALF_READ,)) is None


def test_the_bound_is_that_of_a_window_in_which_every_process_was_read() -> None:
    assert most_connections((HALF_READ, WINDOW, HALF_READ)) == 10


def test_two_stretches_become_one() -> None:
    samples, shift = joined(measured(sample(0.5)), measured(sample(0.5), started=106.0))

    assert shift == 6.0
    assert [item.offset_seconds for item in samples] == [0.5, 6.5]


def test_the_picture_has_each_second_and_the_way_back() -> None:
    trouble = held(*GOOD, sample(1.2, Outcome.SHED), *BACK)

    picture = picture_of(trouble, story_of(trouble, Stay()), [("writes lost", "0 of 3")])

    assert picture.answers == (
        AnswersInSecond(0, ok=8),
        AnswersInSecond(1, shed=1),
        AnswersInSecond(2, ok=6),
        AnswersInSecond(3, ok=2),
    )
    assert picture.recovered_seconds == pytest.approx(2.4)
    assert ("failed meanwhile", "1 of 1") in picture.facts
    assert picture.facts[-1] == ("writes lost", "0 of 3")


def test_who_is_not_back_has_no_end_in_the_picture() -> None:
    trouble = held(*GOOD)

    assert picture_of(trouble, story_of(trouble, Stay()), ()).recovered_seconds is None
