"""The report of a test run's statements: finished data that every renderer takes as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.checks.regression import EndpointChange
from harness.findings import Judgement, SourceLine, Verdict
from harness.lock.counts import QueryLock

__all__ = ["QueryReport"]


@dataclass(frozen=True, slots=True)
class QueryReport:
    """The statements of a whole test run, and how they stand to the lock."""

    harness_version: str
    application: str
    mode: str
    """``check``, ``create``, ``tighten``, ``update`` or ``off``."""
    verdict: Verdict
    """Inconclusive where the gate could not see."""
    problems: tuple[str, ...]
    """Why the gate could not see, or does not apply; each with the remedy."""
    gaps: tuple[str, ...]
    """Why the run was not a complete one: ``-k was given``, ``2 tests failed``."""
    tests: int
    """Tests that made requests."""
    seen: QueryLock
    """What the run has shown."""
    changes: tuple[EndpointChange, ...]
    """How that differs from the lock."""
    sites: Mapping[str, SourceLine]
    """The functions that handle the endpoints, by ``GET /users/{user_id}``."""
    witnesses: Mapping[tuple[str, str, str], str]
    """A test that shows a shape's maximum: by dialect, endpoint and the shape's id; an empty id
    stands for the statements of the whole endpoint."""
    judgement: Judgement
    """Findings of all tests, by identity."""
