"""A statement grows with the rows where a finding says so, and nowhere else."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from harness.capture.recording import Cause, Recording, RequestRecord, RoundTrip
from harness.checks.statements import growing_statements, statement_findings

MakeTrip = Callable[..., RoundTrip]
MakeRequest = Callable[..., RequestRecord]
MakeTrips = Callable[[MakeTrip], Sequence[RoundTrip]]

GROWING: dict[str, tuple[str, MakeTrips]] = {
    "lazy-loads": (
        "n-plus-one",
        lambda trip: [
            trip(cause=Cause.LAZY, relationship="User.posts", parent=parent) for parent in (1, 2)
        ],
    ),
    "a-loop": ("n-plus-one", lambda trip: [trip() for _ in range(5)]),
    "a-sequence": (
        "repeated-sequence",
        lambda trip: [trip(sql, line=line) for _ in range(3) for line, sql in enumerate("ab", 1)],
    ),
    "reloaded-columns": (
        "column-reload",
        lambda trip: [trip(cause=Cause.DEFERRED, parent=parent) for parent in (1, 2)],
    ),
    "tasks-side-by-side": (
        "fan-out",
        lambda trip: [replace(trip(), task=task) for task in (1, 2, 3)],
    ),
    "flushes": (
        "flush-in-loop",
        lambda trip: [
            replace(trip("INSERT INTO a VALUES (?)", cause=Cause.FLUSH), flush=flush)
            for flush in (1, 2, 3)
        ],
    ),
    "written-rows": (
        "write-loop",
        lambda trip: [trip("INSERT INTO a VALUES (?)", cause=Cause.CORE) for _ in range(3)],
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_a_finding_claims_grows_and_its_neighbour_does_not(
    trip: MakeTrip, request_to: MakeRequest, name: str
) -> None:
    kind, trips_of = GROWING[name]
    neighbour = trip("SELECT other", line=99)
    trips = trips_of(trip)
    taken = Recording(round_trips=(neighbour, *trips), requests=(request_to(),))

    found = growing_statements(taken)

    assert [finding.kind for finding in statement_findings(taken)] == [kind]
    assert found == {one.statement for one in trips}


def test_the_same_question_again_does_not_grow(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [trip("SELECT a FROM b", value=7) for _ in range(4)]
    taken = Recording(round_trips=tuple(trips), requests=(request_to(),))

    assert [finding.kind for finding in statement_findings(taken)] == ["redundant-read"]
    assert growing_statements(taken) == frozenset()


def test_statements_that_no_finding_claims_do_not_grow(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    taken = Recording(round_trips=(trip("SELECT a"), trip("SELECT b")), requests=(request_to(),))

    assert growing_statements(taken) == frozenset()
