"""Histograms keep counts exactly and durations to a fifth."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.histogram import Histogram


def _of(*seconds: float) -> Histogram:
    histogram = Histogram()
    for item in seconds:
        histogram.add(item)
    return histogram


@pytest.mark.parametrize("seconds", [1e-6, 3e-5, 0.001, 0.7, 1.0, 60.0, 800.0])
def test_a_bucket_ends_at_most_a_fifth_above_the_duration(seconds: float) -> None:
    histogram = _of(seconds, 900.0)

    assert seconds <= histogram.percentile(0.5) * (1 + 1e-9)
    assert histogram.percentile(0.5) <= seconds * 2**0.25 * (1 + 1e-9)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9])
def test_durations_beyond_the_buckets_are_counted_at_the_ends(seconds: float) -> None:
    assert _of(seconds).count == 1


def test_no_percentile_is_above_the_longest_duration() -> None:
    assert _of(0.01, 0.01).percentile(0.99) == 0.01


def test_a_percentile_is_where_that_share_of_the_durations_ends() -> None:
    histogram = _of(*[0.001] * 98, 1.0, 2.0)

    assert histogram.percentile(0.98) < 0.0013
    assert histogram.percentile(0.99) == pytest.approx(1.0, rel=0.2)
    assert histogram.percentile(1.0) == 2.0


def test_an_empty_histogram_has_zeros() -> None:
    empty = Histogram().distribution()

    assert (empty.count, empty.mean_seconds, empty.p99_seconds, empty.counts) == (0, 0.0, 0.0, ())


def test_a_distribution_has_the_exact_count_mean_and_maximum() -> None:
    figures = _of(1.0, 2.0, 6.0).distribution()

    assert (figures.count, figures.mean_seconds, figures.max_seconds) == (3, 3.0, 6.0)
    assert sum(figures.counts) == 3


def test_the_buckets_of_a_distribution_reach_from_the_first_to_the_last_in_use() -> None:
    figures = _of(0.001, 0.1).distribution()

    assert len(figures.bounds_seconds) == len(figures.counts)
    assert list(figures.bounds_seconds) == sorted(figures.bounds_seconds)
    assert (figures.counts[0], figures.counts[-1]) == (1, 1)


def test_a_histogram_survives_json() -> None:
    histogram = _of(0.001, 0.002, 5.0)

    read = Histogram.from_json(json.loads(json.dumps(histogram.as_json())))

    assert read.distribution() == histogram.distribution()


_DURATIONS = st.lists(st.floats(0, 1e6), max_size=20)


@given(earlier=_DURATIONS, later=_DURATIONS)
def test_a_difference_has_what_was_counted_meanwhile(
    earlier: list[float], later: list[float]
) -> None:
    grown = _of(*earlier, *later).since(_of(*earlier))

    assert grown.counts == _of(*later).counts
    assert grown.sum_seconds == pytest.approx(sum(later), abs=1e-6)


@given(earlier=_DURATIONS, later=st.lists(st.floats(1e-6, 750), min_size=1, max_size=20))
def test_the_longest_of_a_difference_is_at_most_a_fifth_too_long(
    earlier: list[float], later: list[float]
) -> None:
    grown = _of(*earlier, *later).since(_of(*earlier))

    assert max(later) <= grown.max_seconds * (1 + 1e-9)
    assert grown.max_seconds <= max(later) * 2**0.25 * (1 + 1e-9)


def test_the_longest_ever_is_exact_in_a_difference() -> None:
    assert _of(0.5, 0.7).since(_of(0.5)).max_seconds == 0.7


def test_beyond_the_buckets_the_longest_of_a_difference_is_the_longest_ever() -> None:
    assert _of(5000.0, 2000.0).since(_of(5000.0)).max_seconds == 5000.0


def test_the_difference_of_equal_histograms_is_empty() -> None:
    difference = _of(0.3, 0.4).since(_of(0.3, 0.4))

    assert difference.distribution() == Histogram().distribution()
