"""Whether anybody came before a COMMIT that they take for done: a client, a task, a session.

All three pass in a test. A client in the same process reads after the request has ended altogether,
and in rollback isolation every session sees what another has not committed. In production the
client reads stale rows, the task finds none, the second session sees the old ones. Judged by tables
and by order, never by time: a request that wrote nothing is left alone, and so is a test that
arranges rows without a commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.capture.recording import Recording, RequestRecord, RoundTrip, Transaction
from harness.findings import Finding, RelatedSite, Severity, SourceLine

__all__ = ["KINDS", "order_faults"]

COMMIT_AFTER_RESPONSE = "commit-after-response"
BACKGROUND_BEFORE_COMMIT = "background-before-commit"
READ_OF_UNCOMMITTED_ROW = "read-of-uncommitted-row"
KINDS = frozenset({COMMIT_AFTER_RESPONSE, BACKGROUND_BEFORE_COMMIT, READ_OF_UNCOMMITTED_ROW})

_NAME = r"((?:\"[^\"]+\"|\w+)(?:\.(?:\"[^\"]+\"|\w+))?)"
_CHANGE = r"(?:INSERT INTO|MERGE INTO|DELETE FROM|(?<!FOR )(?<!DO )(?<!KEY )UPDATE)"
_WRITTEN = re.compile(rf"\b{_CHANGE}\s+(?:ONLY\s+)?{_NAME}", re.IGNORECASE)
_READ = re.compile(rf"(?<!DELETE )\b(?:FROM|JOIN)\s+(?:ONLY\s+)?{_NAME}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Work:
    """A transaction of a request, and its statements in order."""

    transaction: Transaction
    trips: Sequence[RoundTrip]

    def writes(self) -> Iterator[tuple[RoundTrip, str]]:
        """Each written table, with the statement."""
        for trip in self.trips:
            yield from ((trip, table) for table in _tables(_WRITTEN, trip))

    def written(self) -> set[str]:
        """The written tables."""
        return {table for _, table in self.writes()}

    def touched(self) -> set[str]:
        """The tables that were read or written."""
        read = {table for trip in self.trips for table in _tables(_READ, trip)}
        return read | self.written()


def order_faults(recording: Recording) -> list[Finding]:
    """Find work that came before the COMMIT it relies on, in each request, by identity."""
    trips: dict[int | None, list[RoundTrip]] = {}
    for trip in recording.round_trips:
        trips.setdefault(trip.transaction, []).append(trip)
    work: dict[int | None, list[_Work]] = {}
    for item in recording.transactions:
        work.setdefault(item.request, []).append(_Work(item, trips.get(item.number, ())))
    found: dict[str, Finding] = {}
    for request in recording.requests:
        own = work.get(request.number, [])
        for finding in (*_late_commits(request, own), *_dirty_reads(request, own)):
            found.setdefault(finding.identity, finding)
    return sorted(found.values(), key=lambda finding: finding.identity)


def _late_commits(request: RequestRecord, work: Sequence[_Work]) -> Iterator[Finding]:
    for late in work:
        answered, transaction = request.answered_seconds, late.transaction
        is_late = answered is not None and transaction.ended_seconds > answered
        if not (is_late and transaction.is_committed and transaction.was_held_at_answer):
            continue
        tables = late.written()
        if tables:
            yield _commit_after_response(request, late, tables)
        for other in (item for item in work if item is not late):
            began = other.transaction.began_seconds
            shared = tables & other.touched()
            if shared and answered is not None and answered < began < transaction.ended_seconds:
                yield _background_before_commit(request, late, other, shared)


def _dirty_reads(request: RequestRecord, work: Sequence[_Work]) -> Iterator[Finding]:
    for reader in work:
        for trip in reader.trips:
            # After the answer it is a task's or a clean-up's: the finding above.
            answered = request.answered_seconds
            if answered is not None and trip.started_seconds > answered:
                continue
            read = _tables(_READ, trip)
            for writer in work:
                write = _write_before(writer, trip, read) if writer is not reader else None
                if write is not None:
                    yield _read_of_uncommitted_row(request, trip, *write)


def _write_before(writer: _Work, read: RoundTrip, tables: set[str]) -> tuple[RoundTrip, str] | None:
    """What another transaction had written, and not yet committed, before a statement read it."""
    if read.started_seconds > writer.transaction.ended_seconds:
        return None
    for write, table in writer.writes():
        if table in tables and write.started_seconds < read.started_seconds:
            return write, table
    return None


def _commit_after_response(request: RequestRecord, late: _Work, tables: set[str]) -> Finding:
    write = next(trip for trip, _ in late.writes())
    return Finding(
        kind=COMMIT_AFTER_RESPONSE,
        label=_listed(tables),
        anchor=request.name,
        severity=Severity.WARNING,
        title=(
            f"{_listed(tables)}: committed after the response was sent, so a client that reads at "
            "once may not see it, and is not told if COMMIT fails"
        ),
        fix='commit in the endpoint, or declare the dependency with scope="function"',
        site=write.call_site or request.endpoint,
        related=tuple(_endpoint(request)),
        evidence=(("statement", write.fingerprint.text),),
    )


def _background_before_commit(
    request: RequestRecord, late: _Work, early: _Work, tables: set[str]
) -> Finding:
    trip = next(trip for trip in early.trips if tables & _touched(trip))
    return Finding(
        kind=BACKGROUND_BEFORE_COMMIT,
        label=_listed(tables),
        anchor=request.name,
        severity=Severity.WARNING,
        title=(
            f"{_listed(tables)}: used by work after the response, before the request's own "
            "changes were committed; in production it does not see them"
        ),
        fix="commit before the response is sent, or hand the task what it needs",
        site=trip.call_site or request.endpoint,
        related=(*_sites("written", late), *_endpoint(request)),
        evidence=(("statement", trip.fingerprint.text),),
    )


def _read_of_uncommitted_row(
    request: RequestRecord, read: RoundTrip, write: RoundTrip, table: str
) -> Finding:
    related = [RelatedSite("written", write.call_site)] if write.call_site is not None else []
    return Finding(
        kind=READ_OF_UNCOMMITTED_ROW,
        label=table,
        anchor=request.name,
        severity=Severity.WARNING,
        title=(
            f"{table}: read by a second session before the first one's changes were committed; "
            "in production it does not see them"
        ),
        fix="use one session for both, or commit the first one before",
        site=read.call_site or request.endpoint,
        related=(*related, *_endpoint(request)),
        evidence=(("statement", read.fingerprint.text),),
    )


def _sites(role: str, work: _Work) -> Iterator[RelatedSite]:
    sites: list[SourceLine] = [trip.call_site for trip, _ in work.writes() if trip.call_site]
    yield from (RelatedSite(role, site) for site in sites[:1])


def _endpoint(request: RequestRecord) -> Iterator[RelatedSite]:
    if request.endpoint is not None:
        yield RelatedSite("endpoint", request.endpoint)


def _touched(trip: RoundTrip) -> set[str]:
    return _tables(_READ, trip) | _tables(_WRITTEN, trip)


def _tables(pattern: re.Pattern[str], trip: RoundTrip) -> set[str]:
    return {name.replace('"', "") for name in pattern.findall(trip.fingerprint.text)}


def _listed(tables: Iterable[str]) -> str:
    return ", ".join(sorted(tables))
