"""One query for the parents, then one more for each of them.

Lazy loads of a relationship are exact: SQLAlchemy says which one and for which parent, so two
distinct parents suffice where one stack of user code loaded both; two lines that look at one object
each do not grow with the data. Equal shapes with different values, run from the same stack, are the
same fault written by hand (a `get` in a loop); there a loop cannot be told from coincidence below
three runs. Judged per request: six calls of a clean endpoint are no N+1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from harness.capture.recording import Cause, Phase, Recording, RequestRecord, RoundTrip
from harness.findings import Finding, RelatedSite, Severity, SourceLine

__all__ = ["KIND", "n_plus_one"]

KIND = "n-plus-one"

_K = TypeVar("_K")

_DISTINCT_PARENTS = 2
_REPEATS_NOTED = 3
_REPEATS_CERTAIN = 5
_BY_HAND = frozenset({Cause.QUERY, Cause.CORE, Cause.RAW})
_WHILE = {
    Phase.SERIALISATION: " while the response was serialised",
    Phase.DEPENDENCY: " in a dependency",
    Phase.AFTER_RESPONSE: " after the response was sent",
}


def n_plus_one(recording: Recording) -> list[Finding]:
    """Find N+1 in each request, and lazy loads outside of requests, by identity."""
    requests = {request.number: request for request in recording.requests}
    found: dict[str, Finding] = {}
    for number, trips in _by_request(recording):
        request = requests.get(number) if number is not None else None
        for finding in (*_lazy_loads(trips, request), *_repeats(trips, request)):
            found.setdefault(finding.identity, finding)
    return sorted(found.values(), key=lambda finding: finding.identity)


def _by_request(recording: Recording) -> Iterator[tuple[int | None, list[RoundTrip]]]:
    statements = sorted(recording.statements, key=lambda trip: trip.request or 0)
    for number, trips in groupby(statements, key=lambda trip: trip.request):
        yield number, sorted(trips, key=lambda trip: trip.started_seconds)


def _lazy_loads(trips: Sequence[RoundTrip], request: RequestRecord | None) -> Iterator[Finding]:
    for (relationship, _), loads in _grouped(
        ((trip.relationship, trip.stack_key), trip) for trip in trips if trip.cause is Cause.LAZY
    ):
        parents = {load.parent_key for load in loads}
        if relationship is None or len(parents) < _DISTINCT_PARENTS:
            continue
        parent_query = _parent_query(trips, loads[0])
        loader = "joinedload" if loads[0].is_scalar_relationship else "selectinload"
        yield Finding(
            kind=KIND,
            label=relationship,
            anchor=_anchor(request, loads[0]),
            severity=Severity.ERROR,
            title=(
                f"{relationship} was loaded {len(loads)} times, once for each of "
                f"{len(parents)} parents{_WHILE.get(loads[0].phase, '')}"
            ),
            fix=f"add .options({loader}({relationship})) to the query that loads the parents",
            site=parent_query.call_site if parent_query else _site(request, loads[0]),
            related=tuple(_related(request, loads[0], parent_query)),
            evidence=_evidence(trips, loads),
        )


def _repeats(trips: Sequence[RoundTrip], request: RequestRecord | None) -> Iterator[Finding]:
    if request is None:
        return  # outside of requests a loop may be the test's own
    candidates = (trip for trip in trips if trip.cause in _BY_HAND and trip.stack_key)
    for _, runs in _grouped(((trip.fingerprint.id, trip.stack_key), trip) for trip in candidates):
        values = {run.parameters_key for run in runs}
        if len(values) < _REPEATS_NOTED or len(values) < len(runs):
            continue
        first = runs[0]
        is_certain = len(runs) >= _REPEATS_CERTAIN
        place = first.call_site.function if first.call_site else request.name
        yield Finding(
            kind=KIND,
            label=f"{first.entity or first.fingerprint.id} in {place}",
            anchor=_anchor(request, first),
            severity=Severity.ERROR if is_certain else Severity.WARNING,
            title=f"the same statement ran {len(runs)} times from one line, for one value each",
            fix="run it once for all values: WHERE … IN (…), a join, or a relationship's loader",
            site=first.call_site,
            related=tuple(_related(request, first, None)),
            evidence=_evidence(trips, runs),
        )


def _grouped(pairs: Iterable[tuple[_K, RoundTrip]]) -> Iterable[tuple[_K, list[RoundTrip]]]:
    groups: dict[_K, list[RoundTrip]] = {}
    for key, trip in pairs:
        groups.setdefault(key, []).append(trip)
    return groups.items()


def _parent_query(trips: Sequence[RoundTrip], load: RoundTrip) -> RoundTrip | None:
    """The newest query before the load that selected the class at the root of its parent."""
    for trip in reversed([trip for trip in trips if trip.statement < load.statement]):
        if trip.cause is Cause.QUERY and trip.entity == load.parent_entity:
            return trip
    return None


def _anchor(request: RequestRecord | None, trip: RoundTrip) -> str:
    if request is not None:
        return request.name
    if trip.call_site is not None:
        return f"{trip.call_site.path}::{trip.call_site.function}"
    return f"statement {trip.fingerprint.id}"


def _site(request: RequestRecord | None, trip: RoundTrip) -> SourceLine | None:
    return trip.call_site or (request.endpoint if request is not None else None)


def _related(
    request: RequestRecord | None, load: RoundTrip, parent_query: RoundTrip | None
) -> Iterator[RelatedSite]:
    if parent_query is not None and load.call_site is not None:
        yield RelatedSite("attribute accessed", load.call_site)
    if request is not None and request.endpoint is not None:
        yield RelatedSite("endpoint", request.endpoint)


def _evidence(
    trips: Sequence[RoundTrip], loads: Sequence[RoundTrip]
) -> tuple[tuple[str, str], ...]:
    seconds = sum(load.seconds for load in loads)
    return (
        ("statement", loads[0].fingerprint.text),
        ("runs", f"{len(loads)} of the request's {len(trips)} statements"),
        ("database time", f"{seconds * 1000:.1f} ms"),
    )
