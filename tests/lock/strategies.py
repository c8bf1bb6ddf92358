"""Locks and recordings that Hypothesis makes up, small enough for names to coincide."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from harness.capture.fingerprint import fingerprint
from harness.capture.recording import Cause, Phase, Recording, RequestRecord, RoundTrip, Tally
from harness.findings import SourceLine
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount

__all__ = ["CASES", "locks", "recordings", "request_to", "trip"]

CASES = settings(max_examples=100, derandomize=True, database=None, deadline=None)
"""The same cases in every run: a failure that nobody can repeat helps nobody. No deadline, because
other processes may have the machine."""

# All that can be encoded; with what JSON, Python's `splitlines` and a terminal make something of.
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['SELECT "a"', "\\", "é\u2028\u202e", "\x00\x1f\x7f", "<<<<<<< HEAD", "{}", "\r\n"]
)
_NAMES = st.sampled_from(["GET /users", "POST /users", "GET /users @ tests/test_a.py::test_b"])
_DIALECTS = st.sampled_from(["postgresql", "sqlite"])
_IDS = st.sampled_from(["0a", "1b", "2c", "3d"])
_SHAPES = st.builds(ShapeCount, _TEXTS, st.integers(1, 4), st.booleans())


@st.composite
def _endpoints(draw: st.DrawFn) -> EndpointCounts:
    shapes = draw(st.dictionaries(_IDS, _SHAPES, max_size=4))
    statements = max((shape.most for shape in shapes.values()), default=0) + draw(st.integers(0, 3))
    return EndpointCounts(statements, statements + draw(st.integers(0, 3)), shapes)


def locks() -> st.SearchStrategy[QueryLock]:
    """Any lock."""
    names = _NAMES | _TEXTS.filter(bool)
    endpoints = st.dictionaries(names, _endpoints(), max_size=3)
    return st.builds(QueryLock, st.dictionaries(_DIALECTS, endpoints, max_size=2))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """A test's recording: some requests, each with some statements."""
    routes = draw(st.lists(st.sampled_from(["/users", "/posts", "(no route)"]), max_size=3))
    requests = [request_to(route, number=number) for number, route in enumerate(routes, start=1)]
    numbers: list[int | None] = [None, *(request.number for request in requests)]
    places = st.tuples(
        st.sampled_from(numbers),
        st.sampled_from(["postgresql+asyncpg", "postgresql+psycopg", "sqlite"]),
        st.sampled_from(["SELECT 1", "SELECT 2", "SELECT 3"]),
    )
    trips = [
        trip(sql, request=request, statement=number, dialect=dialect)
        for number, (request, dialect, sql) in enumerate(draw(st.lists(places, max_size=8)))
    ]
    return Recording(
        round_trips=tuple(trips),
        requests=tuple(requests),
        tallies=tuple(draw(_tally(request.number, trips)) for request in requests),
    )


def request_to(route: str = "/users", *, number: int = 1) -> RequestRecord:
    """A request that was answered."""
    site = SourceLine("shop/api.py", 10 + number, f"handler{number}")
    return RequestRecord(number, "GET", route, route, 200, 0.0, 0.1, endpoint=site)


def trip(
    sql: str = "SELECT 1",
    *,
    request: int | None = 1,
    statement: int = 1,
    batch: int = 0,
    dialect: str = "postgresql+asyncpg",
    cause: Cause = Cause.QUERY,
    phase: Phase = Phase.HANDLER,
) -> RoundTrip:
    """A round trip of a request."""
    return RoundTrip(
        statement=statement,
        batch=batch,
        database="shop",
        dialect=dialect,
        fingerprint=fingerprint(sql, is_compiled=True),
        cause=cause,
        started_seconds=0.0,
        seconds=0.001,
        has_failed=False,
        row_count=1,
        parameters_key=1,
        connection=1,
        request=request,
        phase=phase,
    )


@st.composite
def _tally(draw: st.DrawFn, request: int, trips: list[RoundTrip]) -> Tally:
    kept = sum(one.request == request for one in trips)
    # Now and then the records of a request were cut short.
    lost = draw(st.sampled_from([0, 0, 0, 5]))
    return Tally(request, kept + lost, kept + lost, kept=kept)
