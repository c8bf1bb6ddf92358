"""The JSON report keeps to the schema that ships with it, and repeats itself exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.findings import Judgement
from harness.report.content import Report
from harness.report.json import SCHEMA_VERSION, load_schema, to_json


def _errors(document: object) -> list[str]:
    validator = Draft202012Validator(load_schema())
    return [error.message for error in validator.iter_errors(document)]


def test_the_schema_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(load_schema())


def test_a_full_and_an_empty_report_keep_to_the_schema(
    sample_report: Report, empty_report: Report
) -> None:
    assert _errors(json.loads(to_json(sample_report))) == []
    assert _errors(json.loads(to_json(empty_report))) == []


@pytest.mark.parametrize(
    "spoiled",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"verdict": "splendid"},
        {"endpoints": [{"endpoint": "GET /"}]},
        {"findings": {"open": [], "accepted": []}},
        {"seconds": -1},
    ],
    ids=lambda spoiled: next(iter(spoiled)),
)
def test_the_schema_rejects_a_wrong_document(
    sample_report: Report, spoiled: dict[str, Any]
) -> None:
    assert _errors(json.loads(to_json(sample_report)) | spoiled)


def test_every_field_that_is_written_is_documented(sample_report: Report) -> None:
    written = set(_keys(json.loads(to_json(sample_report))))
    packages = {name for name, _ in sample_report.versions}

    assert written - packages <= set(_documented(load_schema()))


def _keys(value: object) -> Iterator[str]:
    children: list[object] = []
    if isinstance(value, dict):
        yield from value
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    for child in children:
        yield from _keys(child)


def _documented(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for child in schema.values() if isinstance(schema, dict) else ():
        yield from _documented(child)
    for child in schema if isinstance(schema, list) else ():
        yield from _documented(child)


def test_two_reports_that_differ_in_order_alone_are_the_same_text(sample_report: Report) -> None:
    judgement = sample_report.judgement
    shuffled = replace(
        sample_report,
        endpoints=sample_report.endpoints[::-1],
        versions=sample_report.versions[::-1],
        judgement=Judgement(
            judgement.open[::-1], judgement.accepted[::-1], judgement.unmatched[::-1]
        ),
    )

    assert to_json(shuffled) == to_json(sample_report)


def test_each_finding_carries_the_identity_that_an_allowance_names(sample_report: Report) -> None:
    findings = json.loads(to_json(sample_report))["findings"]

    assert [item["identity"] for item in findings["open"]] == [
        "n-plus-one Order.items @ GET /orders/recent",
        "blocked-loop hash_password @ POST /accounts",
    ]
    assert findings["accepted"][0]["reason"] == "planted: the twin shows the cure"


def test_an_open_upper_bound_is_null(sample_report: Report) -> None:
    assert sample_report.load is not None
    pool = sample_report.load.pools[0]
    open_ended = replace(pool.wait, bounds_seconds=(0.1, float("inf")), counts=(2000, 299))
    load = replace(sample_report.load, pools=(replace(pool, wait=open_ended),))

    document = json.loads(to_json(replace(sample_report, load=load)))
    assert document["load"]["pools"][0]["wait"]["bounds_seconds"] == [0.1, None]
    assert _errors(document) == []
