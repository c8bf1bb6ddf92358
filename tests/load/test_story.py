"""The story of a load, computed from hand-made samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.capture.histogram import Histogram
from harness.capture.traffic import Outcome
from harness.load.story import Sample, Samples, load_story, outcome_of, recovery_seconds


def _samples(*outcomes: Outcome, every_seconds: float = 1.0) -> Samples:
    rows = (
        Sample(number * every_seconds, 0.5, "GET /users", outcome)
        for number, outcome in enumerate(outcomes)
    )
    return Samples(started_seconds=100.0, seconds=10.0, users=3, samples=tuple(rows))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (302, Outcome.OK),
        (404, Outcome.REFUSED),
        (429, Outcome.REFUSED),
        (500, Outcome.ERROR),
        (503, Outcome.SHED),
        (504, Outcome.ERROR),
        (0, Outcome.HANG),
        (None, Outcome.HANG),
    ],
)
def test_a_status_has_one_outcome(status: int | None, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


def test_anything_but_a_good_answer_is_a_failure() -> None:
    story = load_story(_samples(Outcome.OK, Outcome.REFUSED, Outcome.SHED, Outcome.HANG), None)

    assert (story.requests, story.failures) == (4, 3)
    assert story.requests_per_second == pytest.approx(0.4)


def test_statements_per_request_come_from_the_application() -> None:
    status = {"routes": {"GET /users": {"requests": 4, "statements": 44}}, "pools": []}

    story = load_story(_samples(Outcome.OK), status)

    assert story.routes[0].statements_per_request == 11


def test_a_route_that_the_probe_did_not_see_has_no_count() -> None:
    story = load_story(_samples(Outcome.OK), {"routes": {}, "pools": []})

    assert story.routes[0].statements_per_request is None


def test_a_pool_is_told_with_its_waits() -> None:
    waits = Histogram()
    waits.add(0.25)
    pool = {
        "name": "pool 1",
        "size": 5,
        "max_overflow": 10,
        "checkouts": 1,
        "timeouts": 0,
        "peak_checked_out": 1,
        "peak_waiting": 1,
        "checked_out": 0,
        "wait": waits.as_json(),
        "hold": Histogram().as_json(),
    }

    story = load_story(_samples(), {"routes": {}, "pools": [pool]})

    assert story.pools[0].wait.max_seconds == 0.25
    assert story.pools[0].hold.count == 0


def test_recovery_is_the_first_of_five_good_answers_in_a_row() -> None:
    good, bad = Outcome.OK, Outcome.SHED
    samples = _samples(good, bad, good, good, bad, good, good, good, good, good)

    assert recovery_seconds(samples, after_seconds=2.0) == pytest.approx(3.5)


def test_four_good_answers_are_no_recovery() -> None:
    samples = _samples(Outcome.SHED, *[Outcome.OK] * 4)

    assert recovery_seconds(samples, after_seconds=0.0) is None


def test_samples_survive_the_way_through_a_file(tmp_path: Path) -> None:
    samples = _samples(Outcome.OK, Outcome.HANG)
    samples.write(tmp_path / "samples.json")

    assert Samples.read(tmp_path / "samples.json") == samples
