"""The JSON of a load run keeps to the schema that ships with it, and holds the whole run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.capture.traffic import Distribution
from harness.capture.windows import Reading, UnreadProcess
from harness.checks.load.classification import Classification, Outcome
from harness.report.load_content import LoadReport
from harness.report.load_json import (
    LOAD_SCHEMA_VERSION,
    load_report_schema,
    load_report_to_json,
)
from tests.checks.load.recorded import CALM
from tests.report.load_reports import (
    empty_report,
    full_report,
    open_ended_report,
    sized_report,
    unreachable_report,
)

REPORTS = pytest.mark.parametrize(
    "made",
    [full_report, sized_report, unreachable_report, open_ended_report, empty_report],
)


def _errors(document: object) -> list[str]:
    validator = Draft202012Validator(load_report_schema())
    return [error.message for error in validator.iter_errors(document)]


def _document(report: LoadReport) -> Any:  # noqa: ANN401 - what json reads
    return json.loads(load_report_to_json(report))


def test_the_schema_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(load_report_schema())


@REPORTS
def test_every_report_keeps_to_the_schema(made: Callable[[], LoadReport]) -> None:
    assert _errors(_document(made())) == []


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_of_a_classification_keeps_to_the_schema(outcome: Outcome) -> None:
    told = Classification(outcome, "", "why", ())

    assert _errors(_document(replace(empty_report(), classification=told))) == []


@pytest.mark.parametrize(
    "spoiled",
    [
        {"schema_version": LOAD_SCHEMA_VERSION + 1},
        {"verdict": "splendid"},
        {"probes": [{"probe": "leak"}]},
        {"recommendation": {"pool_size": 8}},
        {"phases": [{"name": "sweep", "note": "", "windows": [{}]}]},
        {"seconds": -1},
    ],
    ids=lambda spoiled: next(iter(spoiled)),
)
def test_the_schema_rejects_a_wrong_document(spoiled: dict[str, Any]) -> None:
    assert _errors(_document(full_report()) | spoiled)


def test_every_field_that_is_written_is_documented() -> None:
    report = full_report()
    packages = {name for name, _ in report.versions}

    undocumented = set(_keys(_document(report))) - packages - set(_documented(load_report_schema()))
    assert undocumented == set()


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():  # type: ignore[attr-defined]
        yield from _keys(child)


def _documented(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for child in schema.values() if isinstance(schema, dict) else ():
        yield from _documented(child)
    for child in schema if isinstance(schema, list) else ():
        yield from _documented(child)


def test_the_recommendation_is_there_with_its_curve_and_its_fleet() -> None:
    told = _document(full_report())["recommendation"]

    assert (told["pool_size"], told["max_overflow"], told["low"], told["high"]) == (7, 2, 7, 7)
    assert [point["size"] for point in told["curve"]] == [1, 2, 4, 8, 16, 32]
    assert told["fleet"]["ceiling"] == 9


def test_a_window_is_there_with_everything_that_was_recorded() -> None:
    report = full_report()
    window = report.phases[0].windows[0]

    written = _document(report)["phases"][0]["windows"][0]
    assert written["client"]["requests"] == window.client.requests
    assert written["server"]["max_connections"] == 100
    assert written["pools"][0]["wait"]["count"] == window.pools[0].wait.count


@pytest.mark.parametrize("pid", [4711, None])
@pytest.mark.parametrize("reading", Reading)
def test_a_process_that_was_not_read_keeps_to_the_schema(pid: int | None, reading: Reading) -> None:
    unread = UnreadProcess(pid, reading, "timed out after 5 s")
    written = _document(replace(empty_report(), explained=replace(CALM, unread=(unread,))))

    assert _errors(written) == []
    (told,) = written["explained"]["unread"]
    assert told == {"pid": pid, "reading": reading.value, "why": "timed out after 5 s"}


def test_an_open_upper_bound_is_null() -> None:
    pool = _document(full_report())["explained"]["pools"][0]

    assert pool["wait"]["bounds_seconds"][-1] is None


def test_requests_of_the_exhaustion_step_are_in_the_order_of_their_start() -> None:
    report = full_report()
    assert report.exhaustion is not None
    reverse = replace(report.exhaustion, outcomes=report.exhaustion.outcomes[::-1])

    assert load_report_to_json(replace(report, exhaustion=reverse)) == load_report_to_json(report)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_times_without_a_number_keep_to_the_schema(number: float) -> None:
    report = full_report()
    assert report.recommendation is not None
    assert report.explained is not None
    assert report.exhaustion is not None
    point = replace(
        report.recommendation.curve[0],
        p50_seconds=number,
        p95_seconds=number,
        p99_seconds=number,
        wait_seconds=number,
        hold_seconds=number,
    )
    nothing = Distribution(0, number, number, number, number, number)
    pool = replace(report.explained.pools[0], wait=nothing, hold=nothing)

    written = _document(
        replace(
            report,
            recommendation=replace(report.recommendation, curve=(point,)),
            explained=replace(report.explained, pools=(pool,)),
            exhaustion=replace(report.exhaustion, pool_timeout_seconds=number),
        )
    )

    assert _errors(written) == []
    assert written["recommendation"]["curve"][0]["wait_seconds"] is None
