"""The difference between two query locks for machines: every number, versioned and sorted."""

from __future__ import annotations

import json

from harness.report.finding_json import Json
from harness.report.lock_content import LockDiff
from harness.report.query_json import changes_as_json

__all__ = ["LOCK_DIFF_SCHEMA_VERSION", "lock_diff_to_json"]

LOCK_DIFF_SCHEMA_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


def lock_diff_to_json(diff: LockDiff) -> str:
    """The whole difference; statements that did not change are left out."""
    content: Json = {
        "schema_version": LOCK_DIFF_SCHEMA_VERSION,
        "before": diff.before,
        "after": diff.after,
        "dialects": list(diff.dialects),
        "has_regressed": diff.has_regressed,
        "notes": list(diff.notes),
        "changes": changes_as_json(diff.changes),
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
