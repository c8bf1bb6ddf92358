"""What the report of a load run says: finished, frozen data that every renderer takes as it is.

Beside the checkup's content (`content.py`), not part of it: a load run judges windows of load and
recommends a pool, a checkup looks at endpoints one at a time. Nothing here measures, decides or
prints.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.capture.traffic import ExhaustionStory, Outcome
from harness.capture.windows import LoadWindow
from harness.checks.load.classification import Classification
from harness.checks.load.pool_sizing import Recommendation
from harness.findings import Judgement, ProbeVerdict, Verdict

__all__ = ["AnswersInSecond", "LoadReport", "Phase", "Timeline"]


@dataclass(frozen=True, slots=True)
class Phase:
    """Windows of one purpose, in the order in which they were recorded."""

    name: str
    """``baseline``, ``sweep``, ..."""
    windows: tuple[LoadWindow, ...]
    note: str = ""
    """What was done, in a few words."""


@dataclass(frozen=True, slots=True)
class AnswersInSecond:
    """How the requests ended that ended in one second."""

    second: int
    """Whole seconds since the start of the load."""
    ok: int = 0
    shed: int = 0
    error: int = 0
    refused: int = 0
    hang: int = 0
    """Given up by the client."""

    def count(self, outcome: Outcome) -> int:
        """Requests that ended so."""
        number: int = getattr(self, outcome.value)
        return number

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.count(outcome) for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Trouble under load, second by second: its begin, its end, and the way back."""

    name: str
    """What the trouble was: ``backends killed``."""
    probe: str
    """Name of the probe whose verdict it is behind; empty for none."""
    setting: str
    """What was done, with numbers, in one line."""
    begins_seconds: float
    """Offset from the start of the load, like all that follow."""
    ends_seconds: float
    recovered_seconds: float | None
    """From when on all was well again; None: not while watched."""
    answers: tuple[AnswersInSecond, ...]
    """Ascending; a second that is missing had no answer."""
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values with units, e.g. ``("writes lost", "0 of 412")``."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Everything that one load run found out."""

    harness_version: str
    application: str
    target: str
    """Where the load went: the address, and who serves there."""
    database: str
    """``PostgreSQL 18.4, embedded``; empty where it is not ours to look into."""
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    versions: tuple[tuple[str, str], ...]
    """Package and version, for whoever reads the report later."""
    verdict: Verdict
    probes: tuple[ProbeVerdict, ...]
    """One for each probe, those that were skipped with the reason."""
    judgement: Judgement
    classification: Classification | None = None
    """Why requests are slow; None where no probe asked."""
    explained: LoadWindow | None = None
    """The window that `classification` is about."""
    recommendation: Recommendation | None = None
    """None where no probe asked for a pool size."""
    phases: tuple[Phase, ...] = ()
    exhaustion: ExhaustionStory | None = None
    troubles: tuple[Timeline, ...] = ()

    @property
    def skipped(self) -> tuple[ProbeVerdict, ...]:
        """The probes that could not be tried; their summaries say why."""
        return tuple(item for item in self.probes if item.verdict is Verdict.SKIPPED)

    @property
    def answered(self) -> tuple[ProbeVerdict, ...]:
        """All other probes."""
        return tuple(item for item in self.probes if item.verdict is not Verdict.SKIPPED)
