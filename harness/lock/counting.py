"""One test's recording as counts of its endpoints: what belongs to a request, and what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from harness.capture.recording import Cause, Recording, RoundTrip
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.merging import merged

__all__ = ["counted"]


def counted(
    recording: Recording, *, endpoints: Mapping[int, str], growing: Collection[int]
) -> QueryLock:
    """What the requests of a recording ran at most.

    Statements of every phase count, as whoever waits for a connection waits for them, too. What
    SQLAlchemy asks the database's catalogue does not: only the first request of a process does so.

    Args:
        recording: Of the whole test.
        endpoints: The requests that count, by number, with the names of their entries.
        growing: Numbers of statements that ran once for each row.
    """
    places: dict[tuple[str, str, int], list[RoundTrip]] = {}
    for trip in recording.round_trips:
        number = trip.request
        if number in endpoints and number is not None and trip.cause is not Cause.REFLECTION:
            dialect = trip.dialect.partition("+")[0]
            places.setdefault((dialect, endpoints[number], number), []).append(trip)
    return merged(
        *(
            QueryLock({dialect: {endpoint: _of_request(trips, frozenset(growing))}})
            for (dialect, endpoint, _), trips in places.items()
        )
    )


def _of_request(trips: Sequence[RoundTrip], growing: frozenset[int]) -> EndpointCounts:
    statements = [trip for trip in trips if trip.batch == 0]
    most = Counter(trip.fingerprint.id for trip in statements)
    texts = {trip.fingerprint.id: trip.fingerprint.text for trip in statements}
    grows = {trip.fingerprint.id for trip in statements if trip.statement in growing}
    return EndpointCounts(
        statements=len(statements),
        round_trips=len(trips),
        shapes={id_: ShapeCount(text, most[id_], id_ in grows) for id_, text in texts.items()},
    )
