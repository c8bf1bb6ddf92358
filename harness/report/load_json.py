"""A load run for machines: versioned JSON and the schema that documents it.

Windows are written as they were recorded, so that a verdict can be given again, by other limits,
on a run that is long over.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files

from harness.checks.load.classification import Classification
from harness.checks.load.pool_sizing import Recommendation
from harness.report.json import Json, exhaustion_as_json, finite, judgement_as_json, load_schema
from harness.report.load_content import LoadReport, Timeline
from harness.report.load_times import route_times

__all__ = ["LOAD_SCHEMA_VERSION", "load_report_schema", "load_report_to_json"]

LOAD_SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def load_report_to_json(report: LoadReport) -> str:
    """The report as JSON text; `load_report_schema` describes it.

    A number that JSON cannot hold (an open upper bound of a histogram) becomes ``null``.
    """
    content: dict[str, Json] = {
        "schema_version": LOAD_SCHEMA_VERSION,
        "harness_version": report.harness_version,
        "application": report.application,
        "target": report.target,
        "database": report.database,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "versions": dict(report.versions),
        "verdict": report.verdict,
        "probes": [asdict(item) for item in report.probes],
        "findings": judgement_as_json(report.judgement),
        "classification": _classification(report.classification),
        "recommendation": _recommendation(report.recommendation),
        "explained": asdict(report.explained) if report.explained else None,
        "route_times": [
            asdict(each) for each in (route_times(report.explained) if report.explained else ())
        ],
        "phases": [asdict(phase) for phase in report.phases],
        "exhaustion": exhaustion_as_json(report.exhaustion),
        "troubles": [_timeline(timeline) for timeline in report.troubles],
    }
    return json.dumps(finite(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def load_report_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of what `load_report_to_json` writes.

    Findings, distributions and the exhaustion step are those of a checkup.
    """
    text = files("harness.report").joinpath("load-report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    shared, own = load_schema()["$defs"], schema["$defs"]
    if isinstance(shared, dict) and isinstance(own, dict):
        own |= {name: value for name, value in shared.items() if name not in own}
    return schema


def _timeline(timeline: Timeline) -> dict[str, Json]:
    content: dict[str, Json] = asdict(timeline)
    content["facts"] = [{"name": name, "value": value} for name, value in timeline.facts]
    return content


def _classification(told: Classification | None) -> Json:
    """Findings are left out: the judgement has them, with what allows them."""
    if told is None:
        return None
    return {
        "outcome": told.outcome,
        "cause": told.cause,
        "reason": told.reason,
        "answers": [
            asdict(answer.verdict) | {"is_explanation": answer.is_explanation}
            for answer in told.answers
        ],
    }


def _recommendation(told: Recommendation | None) -> Json:
    if told is None:
        return None
    content: dict[str, Json] = asdict(told)
    if told.fleet is not None:
        content["fleet"] = asdict(told.fleet) | {"ceiling": told.fleet.ceiling}
    return content
