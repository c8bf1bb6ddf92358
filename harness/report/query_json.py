"""The query report for machines: versioned JSON, whole, and the schema that documents it.

Sorted, so that the reports of two runs can be compared by a text diff. What the run has shown has
the form of the query lock itself: whatever reads a lock reads that part.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.resources import files

from harness.checks.regression import EndpointChange, ShapeChange
from harness.lock.counts import EndpointCounts
from harness.lock.file import to_text
from harness.report.finding_json import Json, judgement_as_json
from harness.report.json import load_schema
from harness.report.query_content import QueryReport

__all__ = ["QUERY_SCHEMA_VERSION", "changes_as_json", "load_query_schema", "query_to_json"]

QUERY_SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def query_to_json(report: QueryReport) -> str:
    """The report as JSON text; `load_query_schema` describes it."""
    content: dict[str, Json] = {
        "schema_version": QUERY_SCHEMA_VERSION,
        "harness_version": report.harness_version,
        "application": report.application,
        "mode": report.mode,
        "verdict": report.verdict,
        "problems": list(report.problems),
        "gaps": list(report.gaps),
        "tests": report.tests,
        "seen": json.loads(to_text(report.seen)),
        "changes": changes_as_json(report.changes),
        "findings": judgement_as_json(report.judgement),
        "sites": {endpoint: asdict(site) for endpoint, site in report.sites.items()},
        "witnesses": [
            {"dialect": dialect, "endpoint": endpoint, "shape": shape, "test": test}
            for (dialect, endpoint, shape), test in sorted(report.witnesses.items())
        ],
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def load_query_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of what `query_to_json` writes; findings are those of a checkup."""
    text = files("harness.report").joinpath("query-report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    shared, own = load_schema()["$defs"], schema["$defs"]
    if isinstance(shared, dict) and isinstance(own, dict):
        own |= {name: value for name, value in shared.items() if name not in own}
    return schema


def changes_as_json(changes: Iterable[EndpointChange]) -> list[Json]:
    """What changed of each endpoint, by dialect and name."""
    ordered = sorted(changes, key=lambda each: (each.dialect, each.endpoint))
    return [
        {
            "dialect": each.dialect,
            "endpoint": each.endpoint,
            "change": each.change,
            "before": _totals(each.before),
            "after": _totals(each.after),
            "shapes": [_shape(shape) for shape in each.shapes],
        }
        for each in ordered
    ]


def _totals(counts: EndpointCounts | None) -> Json:
    if counts is None:
        return None
    return {"statements": counts.statements, "round_trips": counts.round_trips}


def _shape(shape: ShapeChange) -> Json:
    return asdict(shape)
