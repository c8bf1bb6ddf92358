"""What the fixture `queries` hands to a test: counts as plain integers, findings, statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.capture import Recorder, Recording, RequestTracker, RoundTrip, SourceMap, recording
from harness.checks.verdict import findings_of
from harness.findings import Finding

__all__ = ["Queries", "RouteQueries"]


@dataclass(frozen=True, slots=True)
class RouteQueries:
    """The statements of all requests to one route."""

    name: str
    per_request: tuple[int, ...]
    """Statements of each request, in order."""
    statements: tuple[RoundTrip, ...]

    @property
    def count(self) -> int:
        """Statements of all these requests together."""
        return sum(self.per_request)


@dataclass(slots=True, eq=False)
class Queries:
    """The statements that a test's body runs, counted as they come.

    Attributes are read at any time; what ran in fixtures before the body is not counted.
    """

    _source: SourceMap
    _tracker: RequestTracker | None
    _recorder: Recorder | None = None

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Record inside a block: the plugin's wrapper around the test's body."""
        with recording(self._source, requests=self._tracker) as self._recorder:
            yield

    @property
    def recording(self) -> Recording:
        """Everything so far, as frozen records."""
        return self._recorder.snapshot() if self._recorder is not None else Recording()

    @property
    def statements(self) -> tuple[RoundTrip, ...]:
        """The statements so far, the test's own included."""
        return tuple(self.recording.statements)

    @property
    def count(self) -> int:
        """Number of statements so far, the test's own included."""
        return len(self.statements)

    @property
    def by_requests(self) -> int:
        """Number of statements that requests ran."""
        return sum(1 for trip in self.statements if trip.request is not None)

    @property
    def round_trips(self) -> int:
        """Number of cursor executions: a bulk INSERT may take several."""
        return len(self.recording.round_trips)

    @property
    def findings(self) -> Sequence[Finding]:
        """What the checks say of the statements so far."""
        return findings_of(self.recording)

    def __getitem__(self, name: str) -> RouteQueries:
        """The queries of one route, by method and template: ``queries["GET /users/{user_id}"]``.

        Raises:
            KeyError: If no request to it was made; names the routes that were requested.
        """
        taken = self.recording
        numbers = [request.number for request in taken.requests if request.name == name]
        if not numbers:
            known = sorted({request.name for request in taken.requests})
            raise KeyError(f"no request to {name!r}; requested: {', '.join(known) or 'nothing'}")
        statements = tuple(trip for trip in taken.statements if trip.request in numbers)
        counts = (sum(trip.request == number for trip in statements) for number in numbers)
        return RouteQueries(name, tuple(counts), statements)

    def __repr__(self) -> str:
        return f"<Queries({self.count} statements, {self.by_requests} by requests)>"
