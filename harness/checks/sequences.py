"""Several statements that repeat as a group: a loop whose body asks more than one question.

Told as one finding, because it is repaired in one place. Only whole repetitions count, at least
three of them, and only what no exacter check has explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import RoundTrip
from harness.checks.scope import BY_HAND, Claim, Scope, grouped
from harness.checks.walks import is_walk
from harness.findings import Finding, Severity

__all__ = ["KIND", "sequences"]

KIND = "repeated-sequence"

_LONGEST = 8
_FEWEST_REPETITIONS = 3


def sequences(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Groups of statements that repeat."""
    candidates = [
        trip
        for trip in trips
        if trip.cause in BY_HAND
        and trip.stack_key
        and not trip.fingerprint.is_write
        and not scope.is_a_tests_own(trip)
    ]
    for own in grouped(candidates, key=lambda trip: (trip.session, trip.task)).values():
        yield from _in_order(scope, own)


def _in_order(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    keys = [(trip.fingerprint.id, trip.stack_key) for trip in trips]
    start = 0
    while start < len(trips):
        length, repetitions = _cycle_at(keys, start)
        if not repetitions:
            start += 1
            continue
        end = start + length * repetitions
        members = trips[start:end]
        if _is_loop(members, length):
            finding = _finding(scope, members, length, repetitions)
            yield Claim(finding, frozenset(trip.statement for trip in members))
        start = end


def _cycle_at(keys: Sequence[tuple[str, int]], start: int) -> tuple[int, int]:
    """The shortest group of different statements that repeats from a place on, and how often."""
    for length in range(2, _LONGEST + 1):
        group = keys[start : start + length]
        if len(set(group)) < length:  # holds a shorter repetition
            continue
        repetitions = 1
        while keys[start + repetitions * length :][:length] == group:
            repetitions += 1
        if repetitions >= _FEWEST_REPETITIONS:
            return length, repetitions
    return 0, 0


def _is_loop(members: Sequence[RoundTrip], length: int) -> bool:
    """Whether some statement of the group had another value in each repetition."""
    columns = [members[place::length] for place in range(length)]
    return any(
        len({trip.parameters_key for trip in column}) == len(column) and not is_walk(column)
        for column in columns
    )


def _finding(scope: Scope, members: Sequence[RoundTrip], length: int, repetitions: int) -> Finding:
    group = members[:length]
    return scope.finding(
        KIND,
        members,
        severity=Severity.ERROR,
        title=f"{length} statements were repeated {repetitions} times in one loop",
        fix="ask each question once for all values, before the loop: WHERE … IN (…), or a join",
        label=" + ".join(dict.fromkeys(scope.subject(trip) for trip in group)),
        evidence=(
            *((f"statement {n}", trip.fingerprint.text) for n, trip in enumerate(group, 1)),
            *scope.evidence(members)[1:],
        ),
    )
