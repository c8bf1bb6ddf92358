"""Counts of a load: kinds of answers, and sums over processes."""

from __future__ import annotations

import json

import pytest
from geventhttpclient.useragent import RetriesExceeded

from harness.capture.traffic import Outcome
from harness.load.tally import Answer, ItemCount, Tally, answer_of
from harness.load.timeline import MOST_SPANS, Timeline


@pytest.mark.parametrize(
    ("status", "failure", "answer"),
    [
        (200, None, Answer.OK),
        (302, None, Answer.REDIRECT),
        (200, "not the page", Answer.ERROR),
        (404, ValueError(), Answer.REFUSED),
        (429, ValueError(), Answer.RATE_LIMITED),
        (500, ValueError(), Answer.ERROR),
        (503, ValueError(), Answer.SHED),
        (504, ValueError(), Answer.ERROR),
        (0, TimeoutError(), Answer.HUNG),
        (None, None, Answer.HUNG),
        (0, ConnectionRefusedError(), Answer.CUT),
    ],
)
def test_what_came_back_has_one_class(status: int | None, failure: object, answer: Answer) -> None:
    assert answer_of(status, failure) is answer


def test_who_is_cut_off_before_its_patience_ends_did_not_hang() -> None:
    assert answer_of(0, ConnectionResetError()).outcome is Outcome.ERROR
    assert answer_of(0, TimeoutError()).outcome is Outcome.HANG


def test_a_time_limit_that_a_client_wraps_in_an_error_of_its_own_is_still_one() -> None:
    wrapped = RetriesExceeded("http://test", 1, original=TimeoutError("timed out"))
    raised = ConnectionError("read timed out")
    raised.__context__ = TimeoutError("timed out")
    reset = RetriesExceeded("http://test", 1, original=ConnectionResetError())

    answers = [answer_of(0, failure) for failure in (wrapped, raised, reset)]
    assert answers == [Answer.HUNG, Answer.HUNG, Answer.CUT]


def test_what_came_in_place_of_a_good_answer_is_noted_by_route() -> None:
    tally, other = Tally(), Tally()
    rows = [
        (Answer.OK, 200),
        (Answer.REFUSED, 404),
        (Answer.ERROR, 200),
        (Answer.CUT, 0),
        (Answer.HUNG, None),
    ]
    for each in (tally, other):
        for answer, status in rows:
            each.add("GET /", answer, seconds=0.1, ended_seconds=1.0, status=status)

    tally.merge(Tally.from_json(other.as_json()))

    assert tally.failed == {
        "GET /": {
            "404": 2,
            "200, not accepted": 2,
            "no connection, or it was closed": 2,
            "no answer": 2,
        }
    }


def test_every_answer_has_an_outcome() -> None:
    assert {answer.outcome for answer in Answer} == set(Outcome)


def _counted(*rows: tuple[str, Answer, float, float]) -> Tally:
    tally = Tally()
    for route, answer, seconds, ended_seconds in rows:
        tally.add(route, answer, seconds=seconds, ended_seconds=ended_seconds)
    return tally


ROWS = [
    (f"GET /{number % 3}", answer, 0.001 * number, 0.5 * number)
    for number, answer in enumerate([*Answer] * 5)
]


def test_the_counts_of_two_processes_add_up_to_those_of_one() -> None:
    both = _counted(*ROWS[::2])

    both.merge(_counted(*ROWS[1::2]))

    one = _counted(*ROWS)
    assert (both.requests, both.failures) == (40, 30)
    assert _counts(both) == _counts(one)
    assert both.timeline.moments() == one.timeline.moments()


def _counts(tally: Tally) -> dict[tuple[str, Answer], list[int]]:
    return {
        (route, answer): found.counts
        for route, by_answer in tally.routes.items()
        for answer, found in by_answer.items()
    }


def test_nothing_is_lost_on_the_way_to_another_process() -> None:
    tally = _counted(*ROWS)
    tally.dropped = 3

    back = Tally.from_json(json.loads(json.dumps(tally.as_json())))

    assert back.as_json() == tally.as_json()


def test_a_timeline_is_bounded_and_keeps_every_answer() -> None:
    timeline = Timeline()
    for second in range(5 * MOST_SPANS):
        timeline.add(float(second), 0.01, is_good=second % 2 == 0)

    moments = timeline.moments()

    assert timeline.width_seconds == 8
    assert len(moments) <= MOST_SPANS
    assert sum(moment.good + moment.failed for moment in moments) == 5 * MOST_SPANS


def test_timelines_of_different_steps_add_up() -> None:
    long, short = Timeline(), Timeline()
    long.add(2.0 * MOST_SPANS, 0.01, is_good=True)
    short.add(5.0, 0.01, is_good=False)

    short.merge(long)

    told = [(one.start_seconds, one.good, one.failed) for one in short.moments()]
    assert short.width_seconds == 4
    assert [row for row in told if row[1:] != (0, 0)] == [(4.0, 0, 1), (2.0 * MOST_SPANS, 1, 0)]


def test_a_process_that_began_later_is_told_at_its_time() -> None:
    timeline, late = Timeline(), Timeline()
    late.add(1.5, 0.01, is_good=True)

    timeline.merge(late, shift_seconds=10)

    assert [one.start_seconds for one in timeline.moments() if one.good] == [11.0]


def test_a_second_without_an_answer_is_told_as_one() -> None:
    timeline = Timeline()
    timeline.add(0.5, 0.01, is_good=True)
    timeline.add(2.5, 0.04, is_good=True)

    assert timeline.rates(3.9) == (1.0, 0.0, 1.0)
    assert [one.p95_seconds for one in timeline.moments()] == [0.01, 0.0, 0.04]


def _with_items(*rows: tuple[str, int | None]) -> Tally:
    tally = Tally()
    for route, items in rows:
        tally.add(route, Answer.OK, seconds=0.01, ended_seconds=0.1, items=items)
    return tally


def test_items_of_two_processes_add_up() -> None:
    both = _with_items(("GET /posts", 2), ("GET /tags", 7))

    both.merge(_with_items(("GET /posts", 5), ("GET /posts", None)))

    assert both.items == {"GET /posts": ItemCount(2, 7), "GET /tags": ItemCount(1, 7)}


def test_items_of_answers_that_are_not_good_do_not_count() -> None:
    tally = Tally()

    tally.add("GET /posts", Answer.ERROR, seconds=0.01, ended_seconds=0.1, items=3)

    assert tally.items == {}


def test_items_survive_the_way_to_another_process() -> None:
    tally = _with_items(("GET /posts", 2), ("GET /posts", 5))

    assert Tally.from_json(json.loads(json.dumps(tally.as_json()))).items == tally.items
