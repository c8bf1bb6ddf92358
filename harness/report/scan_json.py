"""The scan for machines: versioned JSON and the schema that documents it."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files

from harness.report.json import Json, finite, judgement_as_json, load_schema
from harness.report.scan_content import ScanReport

__all__ = ["SCAN_SCHEMA_VERSION", "load_scan_schema", "scan_to_json"]

SCAN_SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def scan_to_json(report: ScanReport) -> str:
    """The report as JSON text; `load_scan_schema` describes it."""
    content: dict[str, Json] = {
        "schema_version": SCAN_SCHEMA_VERSION,
        "harness_version": report.harness_version,
        "application": report.application,
        "database": report.database,
        "started_at": report.started_at,
        "seconds": report.seconds,
        "sizes": list(report.sizes),
        "verdict": report.verdict,
        "findings": judgement_as_json(report.judgement),
        "endpoints": [asdict(row) for row in sorted(report.endpoints, key=lambda e: e.endpoint)],
        "tables": [asdict(row) for row in sorted(report.tables, key=lambda item: item.table)],
    }
    return json.dumps(finite(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def load_scan_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of what `scan_to_json` writes; findings are those of a checkup."""
    text = files("harness.report").joinpath("scan.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    shared, own = load_schema()["$defs"], schema["$defs"]
    if isinstance(shared, dict) and isinstance(own, dict):
        own |= {name: value for name, value in shared.items() if name not in own}
    return schema
