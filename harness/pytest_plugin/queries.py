"""What the fixture `queries` hands to a test: counts as plain integers, findings, statements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, overload

import pytest

from harness.capture import Recorder, Recording, RequestTracker, RoundTrip, SourceMap, recording
from harness.checks.budget import over_budget
from harness.checks.verdict import findings_of
from harness.config import Project
from harness.findings import Finding
from harness.pytest_plugin.comparisons import Answer, constant, driven, same_answer
from harness.report.plain import findings_as_text

__all__ = ["Counts", "Queries", "RouteQueries", "Section"]


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


class Counts:
    """What a recorder has seen so far, in the words of a test. Read at any time."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

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
        return self.recording.statement_count

    @property
    def by_requests(self) -> int:
        """Number of statements that requests ran."""
        tallies = self.recording.tallies
        return sum(tally.statements for tally in tallies if tally.request is not None)

    @property
    def round_trips(self) -> int:
        """Number of cursor executions: a bulk INSERT may take several."""
        return self.recording.round_trip_count

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
        return f"<{type(self).__name__}({self.count} statements, {self.by_requests} by requests)>"


class Section(Counts):
    """The statements of a block: ``with queries.section() as part`` or ``async with``.

    Args:
        recorded: Records what runs inside.
        at_most: Fails the test where the block, left without an exception, ran more statements.
    """

    def __init__(
        self, recorded: AbstractContextManager[Recorder], *, at_most: int | None = None
    ) -> None:
        super().__init__(None)
        self._recorded = recorded
        self._at_most = at_most

    def __enter__(self) -> Self:
        self._recorder = self._recorded.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self._recorded.__exit__(kind, error, trace)
        if error is None and self._at_most is not None:
            found = over_budget(
                self.recording, test="this block", total=self._at_most, per_request=None
            )
            if found:
                pytest.fail(findings_as_text(found), pytrace=False)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, trace)


class Queries(Counts):
    """The statements that a test's body runs, counted as they come.

    What ran in fixtures before the body is not counted.

    Args:
        project: Its code is told from libraries, its configuration judges.
        tracker: Knows the application's requests.
    """

    def __init__(self, project: Project, tracker: RequestTracker | None) -> None:
        super().__init__(None)
        self.configuration = project.configuration
        self._source = SourceMap(project.root, project.configuration.app_packages)
        self._tracker = tracker

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Record inside a block: the plugin's wrapper around the test's body."""
        with self._recorded() as self._recorder:
            yield

    def section(self, *, at_most: int | None = None) -> Section:
        """Count the statements of a block of the test.

        Args:
            at_most: Statements that it may run; more fail the test.
        """
        return Section(self._recorded(), at_most=at_most)

    @overload
    def assert_constant(
        self,
        call: Callable[[], Awaitable[Any]],
        *,
        populate: Callable[[int], Any],
        at: Sequence[int] = ...,
    ) -> Awaitable[None]: ...

    @overload
    def assert_constant(
        self, call: Callable[[], Answer], *, populate: Callable[[int], Any], at: Sequence[int] = ...
    ) -> None: ...

    def assert_constant(
        self, call: Callable[[], Any], *, populate: Callable[[int], Any], at: Sequence[int] = (2, 3)
    ) -> Awaitable[None] | None:
        """Make the same request with more and more rows; fail where its statements become more.

        Counted per shape of statement and per item of the answer, which has to grow: otherwise
        nothing could be told, and that fails, too. In a test that awaits, await it; `call` and
        `populate` may be coroutine functions or not.

        Args:
            call: Makes the request: ``lambda: client.get("/users")``.
            populate: Makes so many more rows that the request returns.
            at: Numbers of rows at which the request is made.
        """
        __tracebackhide__ = True
        return driven(constant(self._recorded, call, populate=populate, at=at))

    @overload
    def assert_same_answer(
        self, before: Callable[[], Awaitable[Any]], after: Callable[[], Awaitable[Any]]
    ) -> Awaitable[None]: ...

    @overload
    def assert_same_answer(
        self, before: Callable[[], Answer], after: Callable[[], Answer]
    ) -> None: ...

    def assert_same_answer(
        self, before: Callable[[], Any], after: Callable[[], Any]
    ) -> Awaitable[None] | None:
        """Make two requests; fail where the answers differ or the second takes more statements.

        For the repair of an N+1, with the old code beside the new: one that loses rows is a bug.

        Args:
            before: Makes the request as it was.
            after: Makes the one that is to replace it.
        """
        __tracebackhide__ = True
        return driven(same_answer(self._recorded, before, after))

    def _recorded(self) -> AbstractContextManager[Recorder]:
        return recording(self._source, requests=self._tracker)
