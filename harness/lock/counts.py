"""The counts of a query lock: per dialect and endpoint, how often each statement ran at most.

The same values stand for what a file allows and for what a test run has shown, so that comparing
two of them is all that a gate does. A maximum, never a mean: whatever is put together from parts
comes to the same, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["EndpointCounts", "QueryLock", "ShapeCount"]


@dataclass(frozen=True, slots=True)
class ShapeCount:
    """One statement of an endpoint."""

    text: str
    """The statement's shape, for people: its id is the key under which it stands."""
    most: int
    """Executions in one request, at most."""
    grows: bool
    """Whether some request ran it once for each row: a finding says so."""


@dataclass(frozen=True, slots=True)
class EndpointCounts:
    """What one request to an endpoint runs, at most."""

    statements: int
    round_trips: int
    shapes: Mapping[str, ShapeCount] = field(default_factory=dict)
    """By the id of the fingerprint."""


@dataclass(frozen=True, slots=True)
class QueryLock:
    """All counts of an application."""

    dialects: Mapping[str, Mapping[str, EndpointCounts]] = field(default_factory=dict)
    """By dialect without driver (``postgresql``), then by endpoint: ``GET /users/{user_id}``, and
    ``GET /users/{user_id} @ tests/test_users.py::test_big`` for a test with counts of its own."""
