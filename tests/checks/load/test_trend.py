"""A trend is what the pairs of points have in common, whatever one of them does."""

import pytest

from harness.checks.load.trend import trend_of


def _points(*values: float) -> list[tuple[float, float]]:
    return [(100.0 * number, value) for number, value in enumerate(values)]


def test_a_line_has_its_own_slope() -> None:
    trend = trend_of(_points(1, 3, 5, 7))

    assert trend is not None
    assert (trend.slope, trend.growth, trend.rising_share) == (0.02, 6.0, 1.0)
    assert trend.is_rising


def test_one_wild_point_of_eight_changes_the_slope_hardly() -> None:
    trend = trend_of(_points(1, 2, 3, 4, 900, 6, 7, 8))

    assert trend is not None
    assert trend.slope == pytest.approx(0.01, rel=0.05)


def test_steps_up_and_down_are_no_trend() -> None:
    trend = trend_of(_points(5, 6, 5, 6, 5))

    assert trend is not None
    assert not trend.is_rising


def test_a_figure_that_stays_is_no_trend() -> None:
    trend = trend_of(_points(5, 5, 5, 5))

    assert trend is not None
    assert (trend.growth, trend.is_rising) == (0.0, False)


def test_eight_points_may_have_two_pairs_that_fall() -> None:
    two = trend_of(_points(1, 2, 3, 4, 6, 5, 8, 7))
    three = trend_of(_points(1, 2, 4, 3, 6, 5, 8, 7))

    assert two is not None
    assert three is not None
    assert two.is_rising
    assert not three.is_rising


@pytest.mark.parametrize(
    "points", [[], _points(1, 2, 3), [(5.0, 1.0), (5.0, 2.0), (5.0, 3.0), (5.0, 4.0)]]
)
def test_too_little_is_no_trend(points: list[tuple[float, float]]) -> None:
    assert trend_of(points) is None
