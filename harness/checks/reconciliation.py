"""What SQLAlchemy reported beside what the server ran: how often each shape, and who ran the rest.

No check and no finding: that a server runs more statements than an application executes is nobody's
fault by itself. The numbers add up: what was seen, less what the server did not count, plus the
shares of all origins, is what the server ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.capture.fingerprint import Fingerprint
from harness.capture.recording import Recording, RoundTrip
from harness.capture.server_shapes import server_shape
from harness.capture.server_tally import ServerShape, ServerTally
from harness.checks.server_origins import PING, Origin, origin_of, verb_of
from harness.findings import Verdict

__all__ = ["Reconciliation", "ShapeMatch", "Share", "reconciled"]


@dataclass(frozen=True, slots=True)
class ShapeMatch:
    """One shape, from both sides."""

    shape: Fingerprint
    """In the server's form, see `harness.capture.server_shapes`."""
    seen: int
    """Round trips."""
    failed: int
    """Those of them that raised; a server does not count them."""
    streamed: int
    """Those whose rows were fetched as they were asked for: on asyncpg a server does not count one
    whose transaction is rolled back."""
    parameter_sets: int
    """Rows of values that were sent with them."""
    ran: int
    """Calls on the server."""
    rows: int = 0
    seconds: float = 0.0

    @property
    def uncounted(self) -> int:
        """Round trips that the server did not count."""
        return max(0, self.seen - self.ran)

    @property
    def lost(self) -> int:
        """Those that neither a failure nor streaming explains: the texts may differ."""
        return max(0, self.uncounted - self.failed - self.streamed)

    @property
    def one_by_one(self) -> int:
        """Calls beyond the round trips that sets of parameters explain."""
        return min(max(0, self.ran - self.seen), max(0, self.parameter_sets - self.seen))

    @property
    def unexplained(self) -> int:
        """Calls beyond both."""
        return max(0, self.ran - self.seen) - self.one_by_one


@dataclass(frozen=True, slots=True)
class Share:
    """What one origin adds to the server's count."""

    origin: Origin
    statements: tuple[tuple[str, int], ...]
    """Texts, or verbs of transaction control, with their calls; most calls first."""

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(calls for _, calls in self.statements)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Two counts of one block, brought together."""

    database: str
    verdict: Verdict
    """The server's tally's own, or ``inconclusive`` where the recording is not whole."""
    reason: str = ""
    seen: int = 0
    """Round trips that SQLAlchemy reported for the database."""
    ran: int = 0
    """Statements that the server counted."""
    seconds: float = 0.0
    """In which the server executed them."""
    shapes: tuple[ShapeMatch, ...] = ()
    """Those that SQLAlchemy reported, the largest differences first."""
    shares: tuple[Share, ...] = ()
    """Largest first."""
    other_roles: tuple[tuple[str, int], ...] = ()
    """Calls by other roles, which are not among `ran`."""
    has_utility: bool = True
    """Whether the server counts transaction control at all."""

    @property
    def uncounted(self) -> int:
        """Round trips that the server did not count."""
        return sum(match.uncounted for match in self.shapes)

    @property
    def failed(self) -> int:
        """Those of the uncounted that raised."""
        return sum(min(match.uncounted, match.failed) for match in self.shapes)

    @property
    def lost(self) -> int:
        """Those of the uncounted that nothing explains."""
        return sum(match.lost for match in self.shapes)


def reconciled(recording: Recording, tally: ServerTally) -> Reconciliation:
    """Bring a recording and a server's counts of the same block together.

    Args:
        recording: Of the process that was watched; other databases in it are left out.
        tally: From `harness.database.server_counts`.
    """
    if tally.verdict is Verdict.SKIPPED:
        return Reconciliation(tally.database, tally.verdict, tally.reason)
    trips = [trip for trip in recording.round_trips if _is_in(trip, tally.database)]
    matches = tuple(_matches(trips, tally.shapes))
    reason = tally.reason or _incomplete(recording)
    return Reconciliation(
        tally.database,
        Verdict.INCONCLUSIVE if reason else Verdict.PASS,
        reason,
        seen=len(trips),
        ran=tally.calls,
        seconds=tally.seconds,
        shapes=matches,
        shares=tuple(_shares(recording, trips, matches, tally)),
        other_roles=tally.other_roles,
        has_utility=tally.has_utility,
    )


def _is_in(trip: RoundTrip, database: str) -> bool:
    # An engine with a `creator` has a URL without a database.
    return trip.dialect.startswith("postgresql") and trip.database in {database, ""}


def _incomplete(recording: Recording) -> str:
    if recording.failure:
        return f"the recorder failed: {recording.failure}"
    left_out = recording.round_trip_count - len(recording.round_trips)
    return f"{left_out} round trips were counted, but not described" if left_out else ""


def _matches(trips: Iterable[RoundTrip], counted: Iterable[ServerShape]) -> Iterator[ShapeMatch]:
    by_shape: dict[Fingerprint, list[RoundTrip]] = {}
    known: dict[Fingerprint, Fingerprint] = {}
    for trip in trips:
        if trip.fingerprint not in known:
            known[trip.fingerprint] = server_shape(trip.fingerprint.text)
        by_shape.setdefault(known[trip.fingerprint], []).append(trip)
    calls = {each.shape: each for each in counted}
    found = [_match(shape, alike, calls.get(shape)) for shape, alike in by_shape.items()]
    yield from sorted(found, key=lambda match: (-abs(match.ran - match.seen), match.shape.text))


def _match(shape: Fingerprint, trips: list[RoundTrip], counted: ServerShape | None) -> ShapeMatch:
    return ShapeMatch(
        shape,
        seen=len(trips),
        failed=sum(trip.has_failed for trip in trips),
        streamed=sum(trip.is_streamed and not trip.has_failed for trip in trips),
        parameter_sets=sum(trip.parameter_sets for trip in trips),
        ran=counted.calls if counted else 0,
        rows=counted.rows if counted else 0,
        seconds=counted.seconds if counted else 0.0,
    )


def _shares(
    recording: Recording,
    trips: list[RoundTrip],
    matches: tuple[ShapeMatch, ...],
    tally: ServerTally,
) -> Iterator[Share]:
    known = {match.shape: match for match in matches}
    calls: dict[Origin, Counter[str]] = {origin: Counter() for origin in Origin}
    for each in tally.shapes:
        match = known.get(each.shape)
        text = each.shape.text
        if match is not None:
            calls[Origin.EXECUTEMANY][text] += match.one_by_one
        rest = each.calls if match is None else match.unexplained
        calls[origin_of(text)][verb_of(text) or text] += rest
    _tell_pings_apart(calls, recording, trips)
    shares = [
        Share(origin, tuple((text, number) for text, number in found.most_common() if number))
        for origin, found in calls.items()
        if found.total()
    ]
    yield from sorted(shares, key=lambda share: -share.calls)


def _tell_pings_apart(
    calls: Mapping[Origin, Counter[str]], recording: Recording, trips: list[RoundTrip]
) -> None:
    """Move what pings explain; never more than there were checkouts that can have pinged."""
    drivers = {trip.dialect.rpartition("+")[2] for trip in trips}
    pooled = sum(1 for checkout in recording.checkouts if checkout.create_seconds == 0)
    # One for each connection that had not come back when the recording was read.
    room = pooled + len({trip.connection for trip in trips})
    others, controls, pings = (
        calls[Origin.OTHERS],
        calls[Origin.TRANSACTIONS],
        calls[Origin.PRE_PING],
    )
    if "psycopg2" in drivers:
        pings[PING] = min(others[PING], room)
        others[PING] -= pings[PING]
    if "asyncpg" in drivers:
        # The first connection of an engine is asked in a transaction of its own.
        first = calls[Origin.DIALECT]["select pg_catalog.version()"]
        empty = controls["BEGIN"] - _transactions(recording, trips) - first
        number = max(0, min(empty, controls["ROLLBACK"] - first, room))
        for verb in ("BEGIN", "ROLLBACK"):
            pings[verb] = number
            controls[verb] -= number


def _transactions(recording: Recording, trips: list[RoundTrip]) -> int:
    """How many transactions SQLAlchemy can have begun in the database."""
    here = {trip.transaction for trip in trips}
    elsewhere = {trip.transaction for trip in recording.round_trips} - here
    begun = here | {transaction.number for transaction in recording.transactions} - elsewhere
    return len(begun - {None})
