"""What a checkup's report says: finished, frozen data that every renderer takes as it is.

Doors build a `Report` from what they measured and judged; renderers turn it into words. Nothing
here measures, decides or prints.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.capture.traffic import (
    Distribution,
    ExhaustionStory,
    LoadStory,
    Outcome,
    PoolRow,
    RequestOutcome,
    RouteRow,
)
from harness.findings import Judgement, ProbeVerdict, Verdict

__all__ = [
    "Distribution",
    "EndpointRow",
    "ExhaustionStory",
    "LoadStory",
    "Outcome",
    "PoolRow",
    "Report",
    "RequestOutcome",
    "RouteRow",
]


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One GET operation with the SQL that one warmed-up request ran."""

    endpoint: str
    """``GET /users/{user_id}``."""
    site: str
    """``path:line`` of the endpoint function; empty where unknown."""
    status: int | None
    statements: int
    round_trips: int
    database_seconds: float
    seconds: float
    verdict: Verdict
    note: str
    """Why it was skipped, or what was found, in a few words."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one checkup found out."""

    harness_version: str
    application: str
    database: str
    """``PostgreSQL 18.4, embedded``."""
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    versions: tuple[tuple[str, str], ...]
    """Package and version, for whoever reads the report later."""
    verdict: Verdict
    endpoints: tuple[EndpointRow, ...]
    judgement: Judgement
    probes: tuple[ProbeVerdict, ...]
    load: LoadStory | None
    exhaustion: ExhaustionStory | None
