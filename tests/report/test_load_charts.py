"""What the pictures of a load run leave out so that they stay readable, and what they add up."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.capture.traffic import Distribution, ExhaustionStory
from harness.report.charts import answers_per_second, sizing_curve, wait_against_hold
from harness.report.charts.sizing import ticked
from harness.report.load_content import Timeline
from harness.report.load_times import dense, exhaustion_as_timeline, route_times
from tests.checks.load.building import times, with_route
from tests.checks.load.recorded import CALM, HELD
from tests.report.load_reports import EXHAUSTION, full_report, sized_report

_NOTHING = Distribution(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_sizes_that_are_close_to_each_other_share_a_tick() -> None:
    assert ticked([1, 2, 20, 21, 22, 24, 32]) == [1, 2, 20, 24, 32]


def test_one_size_is_no_curve() -> None:
    told = sized_report().recommendation
    assert told is not None

    assert sizing_curve(replace(told, curve=told.curve[:1])) == ""
    assert wait_against_hold(told.curve[:1]) == ""


def test_the_parts_of_a_request_add_up_to_it() -> None:
    (orders,) = route_times(HELD)

    assert orders.wait_seconds == pytest.approx(1.4)
    assert orders.sql_seconds == pytest.approx(0.005)
    assert orders.idle_seconds == pytest.approx(0.201)
    assert orders.seconds == pytest.approx(HELD.routes[0].seconds.mean_seconds)


def test_connections_that_are_held_past_the_answer_leave_no_negative_rest() -> None:
    (route,) = route_times(with_route(CALM, seconds=times(0.001, count=600)))

    assert route.rest_seconds == 0.0


def test_connections_at_once_share_the_time_of_their_request() -> None:
    whole = times(5.0, count=100)
    fan_out = with_route(
        CALM,
        requests=100,
        held_at_once=3,
        seconds=whole,
        wait=times(2.0, count=300),
        hold=times(1.0, count=600),
        busy_seconds=300.0,
    )

    (route,) = route_times(fan_out)

    assert route.seconds == pytest.approx(5.0)
    assert route.wait_seconds == pytest.approx(2.5)
    assert route.sql_seconds == pytest.approx(1.25)
    assert route.rest_seconds == 0.0


def test_a_route_that_nobody_requested_has_no_bar() -> None:
    assert route_times(with_route(CALM, requests=0)) == ()


def test_a_route_without_a_database_is_all_rest() -> None:
    (route,) = route_times(with_route(CALM, wait=_NOTHING, hold=_NOTHING, busy_seconds=0.0))

    assert route.seconds == route.rest_seconds > 0


def test_requests_are_counted_in_the_second_in_which_they_ended() -> None:
    answers = {each.second: each for each in exhaustion_as_timeline(EXHAUSTION).answers}

    assert answers[6].error == 1  # began at 4.4 s, took 2.4 s
    assert answers[15].hang == 1
    assert sum(each.total for each in answers.values()) == len(EXHAUSTION.outcomes)


def test_an_application_that_did_not_come_back_has_no_moment_of_recovery() -> None:
    lost: ExhaustionStory = replace(EXHAUSTION, recovery_seconds=None)

    assert exhaustion_as_timeline(EXHAUSTION).recovered_seconds == pytest.approx(9.74)
    assert exhaustion_as_timeline(lost).recovered_seconds is None


def test_a_second_without_an_answer_is_a_gap_and_not_left_out() -> None:
    restarted = full_report().troubles[1]

    assert [each.second for each in dense(restarted)] == list(range(40))
    assert [each.total for each in dense(restarted)[11:14]] == [0, 0, 0]


@pytest.mark.parametrize(("begins", "ends", "recovered"), [(0.0, 0.1, 0.2), (24.6, 24.8, 24.9)])
def test_moments_close_to_each_other_get_a_row_each(
    begins: float, ends: float, recovered: float
) -> None:
    drawing = _drawn(begins=begins, ends=ends, recovered=recovered)

    assert len(_rows(drawing)) == 3


def test_moments_far_from_each_other_share_a_row() -> None:
    assert len(_rows(_drawn(begins=2.0, ends=10.0, recovered=18.0))) == 1


def _drawn(*, begins: float, ends: float, recovered: float) -> str:
    timeline: Timeline = replace(
        full_report().troubles[0],
        begins_seconds=begins,
        ends_seconds=ends,
        recovered_seconds=recovered,
    )
    return answers_per_second(timeline, name="drawn")


def _rows(drawing: str) -> set[str]:
    """The heights at which moments are named."""
    named = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>(?:trouble|recovered) ', drawing)
    assert len(named) == 3
    return set(named)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("spoiled", [1, 6], ids=["one", "all"])
def test_times_without_a_number_leave_the_others_drawn(number: float, spoiled: int) -> None:
    told = sized_report().recommendation
    assert told is not None
    points = [
        replace(
            point,
            p50_seconds=number,
            p95_seconds=number,
            p99_seconds=number,
            wait_seconds=number,
            hold_seconds=number,
        )
        for point in told.curve[:spoiled]
    ]
    curve = (*points, *told.curve[spoiled:])

    assert "<svg" in sizing_curve(replace(told, curve=curve))
    assert bool(wait_against_hold(curve)) == (spoiled < len(curve))


def test_a_bar_without_a_number_is_labelled_as_that() -> None:
    told = sized_report().recommendation
    assert told is not None
    drawing = wait_against_hold(
        [replace(told.curve[0], wait_seconds=float("nan")), *told.curve[1:]]
    )

    assert re.search(r"<text[^>]*>-</text>", drawing)


def test_a_curve_without_one_good_answer_is_drawn() -> None:
    told = sized_report().recommendation
    assert told is not None
    curve = tuple(
        replace(point, rate=0.0, lowest_rate=0.0, highest_rate=0.0) for point in told.curve
    )

    assert "<svg" in sizing_curve(replace(told, curve=curve))
