"""What the report of a scan says: finished, frozen data that every renderer takes as it is."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.growth import Trend
from harness.findings import Judgement, Verdict

__all__ = ["ScanReport", "ScanRow", "ShapeRow", "TableRow"]


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """One statement of an endpoint, over all sizes."""

    fingerprint: str
    statement: str
    counts: tuple[int, ...]
    trend: Trend
    slope: float
    """More executions for each further item, or row; 0 unless it grows."""
    is_per_item: bool
    relationship: str | None
    site: str
    """``path:line`` that ran it; empty where no line of the application did."""


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One GET operation, requested at every size."""

    endpoint: str
    """``GET /users/{user_id}``."""
    site: str
    """``path:line`` of the endpoint function; empty where unknown."""
    path: str
    """As it was requested at the largest size; empty if it was not."""
    status: int | None
    statements: tuple[int, ...]
    """At each size; empty where it was not measured."""
    items: tuple[int | None, ...]
    """Items of the answer at each size; None where it is no list."""
    trend: Trend | None
    """The worst of its statements; None where it was not measured."""
    verdict: Verdict
    note: str
    """Why it was not measured, or what to know of the figures."""
    shapes: tuple[ShapeRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """How a table was filled."""

    table: str
    wanted: int
    rows: int
    problem: str
    """Why there are fewer rows than wanted; empty if there are not."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Everything that one scan found out."""

    harness_version: str
    application: str
    database: str
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    sizes: tuple[int, ...]
    """Rows for each table, ascending; what grows is fitted on the two largest."""
    verdict: Verdict
    endpoints: tuple[ScanRow, ...]
    tables: tuple[TableRow, ...]
    judgement: Judgement
