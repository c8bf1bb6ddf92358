"""The report for machines: versioned JSON and the schema that documents it.

Everything is sorted where the order carries no meaning, so that the reports of two runs can be
compared by a text diff.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib.resources import files

from harness.report.content import ExhaustionStory, LoadStory, Report
from harness.report.finding_json import Json, judgement_as_json

__all__ = [
    "SCHEMA_VERSION",
    "Json",
    "exhaustion_as_json",
    "finite",
    "judgement_as_json",
    "load_schema",
    "to_json",
]

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def to_json(report: Report) -> str:
    """The report as JSON text; `load_schema` describes it.

    A number that JSON cannot hold (an open upper bound of a histogram) becomes ``null``.
    """
    content: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "harness_version": report.harness_version,
        "application": report.application,
        "database": report.database,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "versions": dict(report.versions),
        "verdict": report.verdict,
        "findings": judgement_as_json(report.judgement),
        "endpoints": [asdict(row) for row in sorted(report.endpoints, key=lambda e: e.endpoint)],
        "probes": [asdict(item) for item in report.probes],
        "load": _load(report.load),
        "exhaustion": exhaustion_as_json(report.exhaustion),
    }
    return json.dumps(finite(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def load_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of what `to_json` writes."""
    text = files("harness.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    return schema


def _load(load: LoadStory | None) -> Json:
    if load is None:
        return None
    content: dict[str, Json] = asdict(load)
    content["routes"] = [asdict(row) for row in sorted(load.routes, key=lambda row: row.route)]
    content["pools"] = [asdict(row) for row in load.pools]
    return content


def exhaustion_as_json(story: ExhaustionStory | None) -> Json:
    """An exhaustion step with its requests in the order of their start; None for none."""
    if story is None:
        return None
    outcomes = sorted(
        story.outcomes, key=lambda item: (item.offset_seconds, item.seconds, item.outcome)
    )
    content: dict[str, Json] = asdict(story)
    content["outcomes"] = [asdict(item) for item in outcomes]
    return content


def finite(value: Json) -> Json:
    """The same value without infinities and NaN, which JSON does not know."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value
