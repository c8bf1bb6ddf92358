"""What a test run has shown, in the form of a lock, with what a report needs to point at.

A sum of tests in any order, over any number of processes: every number is a maximum, and every
word beside it the smallest of those that belong to the maximum.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field

from harness.capture.recording import Recording
from harness.findings import SourceLine
from harness.lock.counting import counted
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.merging import merged

__all__ = ["Observed", "as_json", "combined", "from_json", "observed"]

_NO_ROUTE = "(no route)"

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Observed:
    """What tests have shown."""

    counts: QueryLock = field(default_factory=QueryLock)
    """Endpoints that ran statements."""
    sites: Mapping[str, SourceLine] = field(default_factory=dict)
    """The functions that handle the endpoints that were requested, by ``GET /users``."""
    witnesses: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """A test that shows a shape's maximum, by dialect, endpoint and the shape's id; an empty id
    stands for the statements of the whole endpoint."""
    blind: tuple[str, ...] = ()
    """Why something could not be counted: none of it is in `counts`."""


def observed(
    recording: Recording, *, test: str, growing: Collection[int] = (), own_entry: bool = False
) -> Observed:
    """What one test has shown.

    Args:
        recording: Of the whole test.
        test: Its id.
        growing: Numbers of statements that ran once for each row.
        own_entry: Whether its counts stand apart from those of other tests.
    """
    if recording.failure:
        return Observed(blind=(f"{test}: the recorder failed: {recording.failure}",))
    requests = [request for request in recording.requests if request.route != _NO_ROUTE]
    cut = _cut_short(recording)
    addition = f" @ {_function(test)}" if own_entry else ""
    endpoints = {it.number: f"{it.name}{addition}" for it in requests if it.number not in cut}
    counts = counted(recording, endpoints=endpoints, growing=growing)
    return Observed(
        counts=counts,
        sites=_sites((it.name, it.endpoint) for it in requests if it.endpoint is not None),
        witnesses=dict.fromkeys(_keys(counts), test),
        blind=_sorted(
            f"{test}: {it.name}: {cut[it.number]}" for it in requests if it.number in cut
        ),
    )


def combined(*observed: Observed) -> Observed:
    """What all of them have shown together; the same in any order and grouping."""
    return Observed(
        counts=merged(*(one.counts for one in observed)),
        sites=_sites(site for one in observed for site in one.sites.items()),
        witnesses=_witnesses(observed),
        blind=_sorted(reason for one in observed for reason in one.blind),
    )


def as_json(observed: Observed) -> str:
    """The same as text, for the way to another process."""
    return json.dumps(
        {
            "counts": {
                dialect: {endpoint: _as_list(counts) for endpoint, counts in endpoints.items()}
                for dialect, endpoints in observed.counts.dialects.items()
            },
            "sites": {name: astuple(site) for name, site in observed.sites.items()},
            "witnesses": [(*key, test) for key, test in observed.witnesses.items()],
            "blind": observed.blind,
        }
    )


def from_json(text: str) -> Observed:
    """What `as_json` has written, in the same version."""
    data = json.loads(text)
    counts = {
        dialect: {
            endpoint: EndpointCounts(
                statements, round_trips, {id_: ShapeCount(*shape) for id_, shape in shapes.items()}
            )
            for endpoint, (statements, round_trips, shapes) in endpoints.items()
        }
        for dialect, endpoints in data["counts"].items()
    }
    return Observed(
        counts=QueryLock(counts),
        sites={name: SourceLine(*site) for name, site in data["sites"].items()},
        witnesses={
            (dialect, endpoint, id_): test for dialect, endpoint, id_, test in data["witnesses"]
        },
        blind=tuple(data["blind"]),
    )


def _as_list(counts: EndpointCounts) -> tuple[int, int, dict[str, tuple[str, int, bool]]]:
    shapes = {id_: (it.text, it.most, it.grows) for id_, it in counts.shapes.items()}
    return counts.statements, counts.round_trips, shapes


def _function(test: str) -> str:
    """A test without its parameters, and without the group that pytest-xdist appends."""
    file, separator, name = test.partition("::")
    return f"{file}{separator}{name.partition('[')[0].partition('@')[0]}"


def _cut_short(recording: Recording) -> dict[int | None, str]:
    """Requests of which not all is known, and how much."""
    return {
        tally.request: f"{tally.round_trips:,} round trips, of which {tally.kept:,} are described"
        for tally in recording.tallies
        if tally.kept < tally.round_trips
    }


def _keys(counts: QueryLock) -> Iterator[_Key]:
    for dialect, endpoints in counts.dialects.items():
        for endpoint, found in endpoints.items():
            yield from ((dialect, endpoint, id_) for id_ in ("", *found.shapes))


def _sites(every: Iterable[tuple[str, SourceLine]]) -> dict[str, SourceLine]:
    found: dict[str, SourceLine] = {}
    for name, site in every:
        known = found.setdefault(name, site)
        if site != known:
            found[name] = min(known, site, key=astuple)
    return found


def _witnesses(every: Sequence[Observed]) -> dict[_Key, str]:
    found: dict[_Key, tuple[int, str]] = {}
    for one in every:
        for key, test in one.witnesses.items():
            # Downwards by amount, upwards by name.
            candidate = -_amount(one.counts, key), test
            if key not in found or candidate < found[key]:
                found[key] = candidate
    return {key: test for key, (_, test) in found.items()}


def _amount(counts: QueryLock, key: _Key) -> int:
    dialect, endpoint, id_ = key
    found = counts.dialects[dialect][endpoint]
    return found.shapes[id_].most if id_ else found.statements


def _sorted(reasons: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(reasons)))
