"""The statements that are judged together, and how a finding about them is placed.

Together are those of one request: six calls of a clean endpoint are no N+1. Outside of requests it
is one session's work. Every check of statements gets such a scope and answers with claims: what it
has explained is not explained again by the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from harness.capture.recording import (
    Cause,
    Phase,
    Recording,
    Refusal,
    RequestRecord,
    RoundTrip,
)
from harness.findings import Finding, RelatedSite, Severity, SourceLine

__all__ = ["BY_HAND", "Claim", "Scope", "grouped", "scopes"]

BY_HAND = frozenset({Cause.QUERY, Cause.GET, Cause.CORE, Cause.RAW})
"""Causes of statements that the application runs itself, one by one."""

_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)

_NAME = r'(?:"[^"]+"|\w+)'
_TABLE = re.compile(
    rf"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?(?:{_NAME}\.)?({_NAME})", re.IGNORECASE
)
_WHILE = {
    Phase.MIDDLEWARE: "in a middleware",
    Phase.DEPENDENCY: "in a dependency",
    Phase.SERIALISATION: "while the response was serialised",
    Phase.TEARDOWN: "while a dependency was torn down",
    Phase.BACKGROUND: "in a background task",
    Phase.AFTER_RESPONSE: "while the response was sent",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding, and the statements that it explains."""

    finding: Finding
    statements: frozenset[int]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is judged together."""

    request: RequestRecord | None
    """None outside of requests."""
    trips: tuple[RoundTrip, ...]
    """The first round trip of each statement, in order."""
    refusals: tuple[Refusal, ...] = ()
    """Loads that the ORM refused."""

    def is_a_tests_own(self, where: RoundTrip | Refusal) -> bool:
        """Whether a test itself did it, and not the application."""
        return self.request is None and _is_of_a_test(where.call_site)

    def statement(self, number: int) -> RoundTrip | None:
        """One of its statements."""
        return next((trip for trip in self.trips if trip.statement == number), None)

    def parent_query(self, load: RoundTrip | Refusal) -> RoundTrip | None:
        """The query that loaded the object, through loads that were lazy themselves."""
        seen: set[int] = set()
        found, numbers = None, load.parent_statements
        while numbers:
            queries = (self.statement(number) for number in numbers if number not in seen)
            query = next((query for query in queries if query is not None), None)
            if query is None:
                break
            seen.add(query.statement)
            found, numbers = query, query.parent_statements if query.cause is Cause.LAZY else ()
        return found

    def anchor(self, where: RoundTrip | Refusal) -> str:
        """Where a finding belongs, without line numbers."""
        if self.request is not None:
            return self.request.name
        if where.call_site is not None:
            return f"{where.call_site.path}::{where.call_site.function}"
        if isinstance(where, RoundTrip):
            return f"statement {where.fingerprint.id}"
        return f"{where.reason} of {where.attribute or where.entity}"

    def site(self, where: RoundTrip | Refusal) -> SourceLine | None:
        """The line of the user's code that a statement comes from, else the endpoint."""
        return where.call_site or (self.request.endpoint if self.request is not None else None)

    def subject(self, trip: RoundTrip) -> str:
        """What a statement is about and where it is run, for a label: no lines, no counts."""
        table = _TABLE.search(trip.fingerprint.text)
        about = trip.entity or (table[1].strip('"') if table else trip.fingerprint.id)
        if trip.call_site is not None:
            return f"{about} in {trip.call_site.function}"
        return f"{about} {during(trip.phase)}".rstrip()

    def related(self, *, accessed: SourceLine | None = None) -> tuple[RelatedSite, ...]:
        """The places that explain a finding beside the line to edit."""
        sites = []
        if accessed is not None:
            sites.append(RelatedSite("attribute accessed", accessed))
        if self.request is not None and self.request.endpoint is not None:
            sites.append(RelatedSite("endpoint", self.request.endpoint))
        return tuple(sites)

    def finding(
        self,
        kind: str,
        runs: Sequence[RoundTrip],
        *,
        severity: Severity,
        title: str,
        fix: str,
        label: str = "",
        site: SourceLine | None = None,
        evidence: tuple[tuple[str, str], ...] | None = None,
    ) -> Finding:
        """A finding about statements of one kind.

        Args:
            kind: Its slug.
            runs: The statements, the first of which says where.
            severity: How much it matters.
            title: What happened, with the numbers; during what is added.
            fix: The edit to make.
            label: What it is about, where that is not what the statement is about.
            site: The line to edit, where that is not the line that ran the statements.
            evidence: Other numbers than `evidence` of the runs.
        """
        first = runs[0]
        line = site or self.site(first)
        return Finding(
            kind=kind,
            label=label or self.subject(first),
            anchor=self.anchor(first),
            severity=severity,
            title=f"{title} {during(first.phase)}".rstrip(),
            fix=fix,
            site=line,
            related=self.related(accessed=first.call_site if first.call_site != line else None),
            evidence=self.evidence(runs) if evidence is None else evidence,
        )

    def evidence(self, runs: Sequence[RoundTrip]) -> tuple[tuple[str, str], ...]:
        """The numbers that every finding about repeated statements rests on."""
        whole = "request" if self.request is not None else "session"
        seconds = sum(run.seconds for run in runs)
        return (
            ("statement", runs[0].fingerprint.text),
            ("runs", f"{len(runs)} of the {whole}'s {len(self.trips)} statements"),
            ("database time", f"{seconds * 1000:.1f} ms"),
        )


def scopes(recording: Recording) -> Iterator[Scope]:
    """Cut a recording into what is judged together."""
    requests = {request.number: request for request in recording.requests}
    heads = sorted(recording.statements, key=lambda trip: trip.started_seconds)
    refused = grouped(recording.refusals, key=lambda refusal: refusal.request)
    by_place = grouped(heads, key=lambda trip: (trip.request, _session(trip)))
    for number in [number for number in refused if (number, None) not in by_place]:
        by_place[number, None] = []
    for (number, _), trips in by_place.items():
        known = requests.get(number) if number is not None else None
        yield Scope(known, tuple(trips), tuple(refused.pop(number, ())))


def during(phase: Phase) -> str:
    """What the framework was doing, as the end of a sentence; empty in the handler itself."""
    return _WHILE.get(phase, "")


def _is_of_a_test(site: SourceLine | None) -> bool:
    """Whether a line stands in a test, by the name of its file."""
    name = PurePosixPath(site.path).name if site is not None else ""
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def grouped(items: Iterable[_T], *, key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    """Items that have a key in common, in order of their first."""
    groups: dict[_K, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _session(trip: RoundTrip) -> int | None:
    """Inside a request its sessions are judged together."""
    return trip.session if trip.request is None else None
