"""Processes that did not tell their counts around a load are named, with when and why."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.capture.growth import Json
from harness.capture.processes_read import ProcessesRead
from harness.capture.windows import Reading, UnreadProcess
from tests.capture.readings import SECONDS, status

OLD, YOUNG = status(uptime_seconds=3600.0), status(uptime_seconds=4.0)
ANOTHER = status(boot_id="second", uptime_seconds=4.0)
TWO = {1: OLD, 2: OLD}
LATE = "timed out after 5 s"


def read(
    before: Mapping[int, Json],
    after: Mapping[int, Json],
    at_rest: Mapping[int, Json] | None = None,
    *,
    silent: tuple[tuple[int | None, Reading], ...] = (),
) -> ProcessesRead:
    told = [UnreadProcess(pid, reading, LATE) for pid, reading in silent]
    return ProcessesRead(SECONDS, before, after, at_rest or {}, told)


def missing(told: ProcessesRead) -> list[tuple[int | None, Reading]]:
    return [(each.pid, each.reading) for each in told.unread()]


@pytest.mark.parametrize(
    ("before", "after", "at_rest"),
    [
        (TWO, TWO, TWO),
        (TWO, TWO, {}),
        ({1: OLD}, {1: OLD, 2: YOUNG}, {1: OLD, 2: YOUNG}),
        ({1: OLD}, {1: OLD}, {1: OLD, 2: YOUNG}),
        ({}, {}, {}),
    ],
    ids=["all told", "nobody asked at rest", "one began meanwhile", "one began then", "no probe"],
)
def test_where_all_have_told_nobody_is_missing(
    before: Mapping[int, Json], after: Mapping[int, Json], at_rest: Mapping[int, Json]
) -> None:
    assert read(before, after, at_rest).unread() == ()


@pytest.mark.parametrize(
    ("before", "after", "at_rest", "at"),
    [
        (TWO, {1: OLD}, {}, Reading.END),
        (TWO, {1: OLD}, TWO, Reading.END),
        (TWO, {1: OLD, 2: ANOTHER}, {}, Reading.END),
        ({1: OLD}, TWO, {}, Reading.BEGINNING),
        ({1: OLD}, {1: OLD}, TWO, Reading.BEGINNING),
        (TWO, TWO, {1: OLD}, Reading.REST),
    ],
    ids=["gone", "only at rest again", "replaced", "found late", "found at rest", "not at rest"],
)
def test_one_that_a_reading_lacks_is_missing_from_there_on(
    before: Mapping[int, Json], after: Mapping[int, Json], at_rest: Mapping[int, Json], at: Reading
) -> None:
    assert missing(read(before, after, at_rest)) == [(2, at)]


def test_one_that_was_asked_and_silent_is_named_once_with_the_first_reading() -> None:
    told = read(
        {1: OLD}, {1: OLD}, {1: OLD}, silent=tuple((2, reading) for reading in reversed(Reading))
    )

    assert told.unread() == (UnreadProcess(2, Reading.BEGINNING, LATE),)
    assert told.count == 2


def test_what_a_silent_one_said_is_the_reason() -> None:
    told = read(TWO, {1: OLD}, silent=((2, Reading.END),))

    assert told.unread() == (UnreadProcess(2, Reading.END, LATE),)


def test_a_silent_one_that_told_at_last_counts_nothing_from_before() -> None:
    told = read({1: OLD}, {1: OLD, 2: YOUNG}, silent=((2, Reading.BEGINNING),))

    assert [growth.before for growth in told.growths()] == [OLD]
    assert missing(told) == [(2, Reading.BEGINNING)]


def test_who_is_silent_at_a_shared_port_is_who_was_found_there_before() -> None:
    told = read(TWO, {1: OLD}, {1: OLD}, silent=((None, Reading.END), (None, Reading.REST)))

    assert told.unread() == (UnreadProcess(2, Reading.END, LATE),)
    assert told.count == 2


def test_who_was_never_found_at_a_shared_port_is_one_that_nobody_knows() -> None:
    told = read({1: OLD}, {1: OLD}, silent=tuple((None, reading) for reading in Reading))

    assert told.unread() == (UnreadProcess(None, Reading.BEGINNING, LATE),)
    assert told.count == 2


def test_processes_that_take_turns_are_as_many_as_there_were_at_once() -> None:
    assert read({1: OLD, 2: OLD}, {1: OLD, 3: YOUNG}).count == 2
