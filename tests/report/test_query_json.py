"""The query report for machines keeps to its schema, and repeats itself exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from harness.checks.regression import compared
from harness.lock.counts import QueryLock
from harness.lock.file import from_text
from harness.report.query_content import QueryReport
from harness.report.query_json import QUERY_SCHEMA_VERSION, load_query_schema, query_to_json
from tests.report.query_reports import EMPTY, EXAMPLE, LAZY_LOAD, SOME, reports


def _document(report: QueryReport = EXAMPLE) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(query_to_json(report))
    return content


def _errors(document: object) -> list[str]:
    validator = Draft202012Validator(load_query_schema())
    return [error.message for error in validator.iter_errors(document)]


def test_the_schema_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(load_query_schema())

    assert load_query_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("report", [EXAMPLE, EMPTY], ids=["example", "empty"])
def test_a_report_keeps_to_the_schema(report: QueryReport) -> None:
    assert _errors(_document(report)) == []


@SOME
@given(reports())
def test_any_report_keeps_to_the_schema(report: QueryReport) -> None:
    assert _errors(_document(report)) == []


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from _paths(each, (*path, key))
    elif isinstance(value, list) and value:
        yield from _paths(value[0], (*path, 0))


# Keys of these are names of endpoints, dialects and statements: none of them has to be there.
_BY_NAME = {"sites", "dialects", "postgresql", "shapes"}


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in _paths(_document())
        if isinstance(path[-1], str) and not (len(path) > 1 and path[-2] in _BY_NAME)
    ],
    ids=lambda path: ".".join(map(str, path)),
)
def test_the_schema_misses_every_field_that_is_left_out(path: tuple[str | int, ...]) -> None:
    document = _document()
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]

    assert _errors(document)


@pytest.mark.parametrize(
    "spoiled",
    [{"verdict": "fine"}, {"mode": "strict"}, {"tests": -1}, {"seen": {}}, {"changes": [{}]}],
)
def test_the_schema_rejects_a_wrong_document(spoiled: dict[str, object]) -> None:
    assert _errors(_document() | spoiled)


def test_the_version_stands_in_the_document() -> None:
    assert _document()["schema_version"] == QUERY_SCHEMA_VERSION == 1


def test_what_was_seen_can_be_read_as_a_lock() -> None:
    seen = json.dumps(_document()["seen"])

    assert from_text(seen, where="report.json") == EXAMPLE.seen


def test_a_change_has_both_totals_and_its_statements() -> None:
    changes = {each["endpoint"]: each for each in _document()["changes"]}

    assert changes["GET /users"]["before"] == {"statements": 2, "round_trips": 2}
    assert changes["GET /users"]["after"] == {"statements": 7, "round_trips": 7}
    assert [shape["after"] for shape in changes["GET /users"]["shapes"]] == [6, 0]
    assert changes["GET /health"]["before"] is None


def test_accepted_findings_are_there_with_their_reason() -> None:
    found = _document()["findings"]

    assert [each["identity"] for each in found["open"]] == [LAZY_LOAD.identity]
    assert [each["reason"] for each in found["accepted"]] == ["a page of one author"]


def test_the_test_that_shows_a_maximum_is_named() -> None:
    assert _document()["witnesses"][1] == {
        "dialect": "postgresql",
        "endpoint": "GET /users",
        "shape": "2c",
        "test": "tests/test_users.py::test_all_users_are_listed",
    }


def test_the_order_of_the_values_does_not_matter() -> None:
    turned = replace(
        EXAMPLE,
        changes=EXAMPLE.changes[::-1],
        sites=dict(list(EXAMPLE.sites.items())[::-1]),
        witnesses=dict(list(EXAMPLE.witnesses.items())[::-1]),
        seen=QueryLock(
            {name: dict(list(each.items())[::-1]) for name, each in EXAMPLE.seen.dialects.items()}
        ),
    )

    assert query_to_json(turned) == query_to_json(EXAMPLE)


def test_the_counts_of_the_report_are_those_that_were_compared() -> None:
    seen = from_text(json.dumps(_document()["seen"]), where="report.json")

    assert compared(seen, EXAMPLE.seen) == ()
