"""The story of a load, computed from hand-made counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.capture.traffic import Outcome
from harness.findings import ProbeVerdict, Verdict
from harness.load.result import LoadResult, Sample, client_window
from harness.load.story import load_story, recovery_seconds
from harness.load.tally import Answer, Tally
from tests.capture.readings import pool, route, status, times


def _result(*answers: Answer, dropped: int = 0) -> LoadResult:
    tally = Tally(dropped=dropped)
    for number, answer in enumerate(answers):
        tally.add("GET /users", answer, seconds=0.5, ended_seconds=number + 0.5)
    return LoadResult(started_seconds=100.0, seconds=10.0, users=3, tally=tally)


def _each(*outcomes: Outcome) -> tuple[Sample, ...]:
    return tuple(
        Sample(float(number), 0.5, "GET /users", outcome) for number, outcome in enumerate(outcomes)
    )


def test_anything_but_a_good_answer_is_a_failure() -> None:
    answers = (Answer.OK, Answer.REDIRECT, Answer.REFUSED, Answer.SHED, Answer.HUNG, Answer.CUT)

    story = load_story(_result(*answers), None)

    assert (story.requests, story.failures) == (6, 4)
    assert (story.routes[0].requests, story.routes[0].failures) == (6, 4)
    assert story.requests_per_second == pytest.approx(0.6)


def test_statements_per_request_come_from_the_application() -> None:
    told = {"GET /users": route(requests=4, statements=44)}

    story = load_story(_result(Answer.OK), status(pid=1, routes=told))

    assert story.routes[0].statements_per_request == 11


def test_a_route_that_the_probe_did_not_see_has_no_count() -> None:
    story = load_story(_result(Answer.OK), status(pid=1))

    assert story.routes[0].statements_per_request is None


def test_a_pool_is_told_with_its_waits() -> None:
    told = pool(wait=times(0.25), checked_out=2, checked_out_at={"3": 1})

    (row,) = load_story(_result(), status(pid=1, pools=[told])).pools

    assert (row.wait.max_seconds, row.hold.count) == (0.25, 0)
    assert (row.size, row.max_overflow) == (3, 1)
    assert (row.peak_checked_out, row.checked_out_at_rest) == (3, 2)


def test_a_pool_without_a_limit_is_told_in_the_words_of_sqlalchemy() -> None:
    told = pool(size=None, max_overflow=None)

    (row,) = load_story(_result(), status(pid=1, pools=[told])).pools

    assert (row.size, row.max_overflow) == (0, -1)


def test_recovery_is_the_first_of_five_good_answers_in_a_row() -> None:
    good, bad = Outcome.OK, Outcome.SHED
    samples = _each(good, bad, good, good, bad, good, good, good, good, good)

    assert recovery_seconds(samples, after_seconds=2.0) == pytest.approx(3.5)


def test_four_good_answers_are_no_recovery() -> None:
    samples = _each(Outcome.SHED, *[Outcome.OK] * 4)

    assert recovery_seconds(samples, after_seconds=0.0) is None


def test_a_window_tells_every_kind_of_answer_apart() -> None:
    window = client_window(_result(*Answer, *[Answer.OK] * 2, dropped=7))

    assert (window.requests, window.ok, window.redirects) == (10, 4, 1)
    assert (window.refused, window.rate_limited) == (2, 1)
    assert (window.errors, window.shed, window.hung, window.transport_failures) == (1, 1, 1, 1)
    assert window.dropped == 7


def test_a_windows_latency_is_that_of_good_answers() -> None:
    result = _result(Answer.OK)
    result.tally.add("GET /users", Answer.ERROR, seconds=9.0, ended_seconds=9.0)

    latency = client_window(result).latency

    assert (latency.count, latency.max_seconds) == (1, 0.5)


def test_a_windows_rates_are_the_good_answers_of_each_second() -> None:
    result = _result(Answer.OK, Answer.ERROR, Answer.OK)

    assert client_window(result).rates == (1.0, 0.0, 1.0, *[0.0] * 7)


def test_a_result_survives_the_way_through_a_file(tmp_path: Path) -> None:
    result = LoadResult(
        started_seconds=1.0,
        seconds=2.0,
        users=3,
        tally=_result(Answer.OK, Answer.HUNG, dropped=1).tally,
        generator_cpu=0.5,
        target_rate=10.0,
        timeout_seconds=9.0,
        workers=2,
        losses=("a worker",),
        is_interrupted=True,
        verdicts=(ProbeVerdict("load", Verdict.FAIL, "why"),),
        samples=_each(Outcome.OK, Outcome.HANG),
    )
    result.write(tmp_path / "result.json")

    back = LoadResult.read(tmp_path / "result.json")

    assert back.tally.as_json() == result.tally.as_json()
    assert (back.samples, back.losses, back.workers) == (result.samples, ("a worker",), 2)
    assert (back.is_interrupted, back.verdicts) == (True, result.verdicts)
    assert client_window(back) == client_window(result)
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_every_key_of_the_file_is_documented(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    result = _result(Answer.OK)
    result.write(tmp_path / "result.json")
    page = pytestconfig.rootpath / "docs" / "reference" / "locust.md"
    told = page.read_text("utf-8").partition("## What is counted")[2].partition("\n## ")[0]

    written = json.loads((tmp_path / "result.json").read_text("utf-8"))

    names = [*written, *written["tally"], *Answer]
    assert [name for name in names if f"`{name}`" not in told] == []
