"""A load that was held on tables without a row: its answers are true, and of nothing.

Routes that read are quick there, lists are short, and a pool for them is too small for anybody.
That no table has a row is counted, so noise has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.checks.load.judged import EVERYWHERE, Judged, found
from harness.checks.load.recommended import Recommendation
from harness.findings import Finding, Severity, Verdict

__all__ = ["KIND", "PROBE", "on_empty_tables", "with_caveat"]

KIND = "empty-tables"
PROBE = "rows"
_CAVEAT = "measured on tables without a row"


def on_empty_tables(tables: int, probes: Sequence[str]) -> Judged:
    """What to say of probes that were held on an empty database.

    Args:
        tables: How many the application has, none of them with a row.
        probes: Held so, at least one.
    """
    *others, last = probes
    held = f"{', '.join(others)} and {last} were" if others else f"{last} was"
    none = f"none of {tables} tables has a row" if tables > 1 else "the only table has no row"
    finding = Finding(
        kind=KIND,
        label="tables",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{none}: {held} held on an empty database",
        fix='`populate = "pkg.rows:populate"` in [tool.harness] writes rows before the load, as '
        "many as the application has in production",
    )
    return found(PROBE, [finding], is_explanation=False)


def with_caveat(recommendation: Recommendation) -> Recommendation:
    """A pool size from empty tables, with its reservation: a warning where it was a pass.

    Where nothing is recommended there is nothing to have reservations about.
    """
    if recommendation.pool_size is None:
        return recommendation
    is_pass = recommendation.verdict is Verdict.PASS
    return replace(
        recommendation,
        verdict=Verdict.WARN if is_pass else recommendation.verdict,
        summary=f"{recommendation.summary}; {_CAVEAT}",
        reasons=(*recommendation.reasons, _CAVEAT),
        would_change=(*recommendation.would_change, "rows in the tables: there was none"),
    )
