"""One query for the parents, then one more for each of them: a relationship loaded row by row.

Exact, because SQLAlchemy says which relationship is loaded and for which parent: two distinct
parents suffice where one stack of user code loads both. Two lines that look at one object each do
not grow with the data. An ``immediate`` loader and a ``refresh`` in a loop are the same fault in
other clothes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import Cause, RoundTrip
from harness.checks.edits import eager_option, edited
from harness.checks.scope import Claim, Scope, grouped
from harness.findings import Finding, Severity

__all__ = ["KIND", "lazy_loads"]

KIND = "n-plus-one"

_DISTINCT_PARENTS = 2


def lazy_loads(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Relationships that were loaded for one parent after the other."""
    loads = [
        trip
        for trip in trips
        if trip.relationship and trip.parent_key is not None and not scope.is_a_tests_own(trip)
    ]
    by_place = grouped(loads, key=lambda load: (load.relationship, load.cause, load.stack_key))
    for runs in by_place.values():
        parents = {load.parent_key for load in runs}
        if len(parents) >= _DISTINCT_PARENTS and not _are_apart(scope, runs, parents):
            claimed = {load.statement for load in runs} | _refreshes(trips, runs[0])
            yield Claim(_finding(scope, runs, len(parents)), frozenset(claimed))


def _are_apart(scope: Scope, runs: Sequence[RoundTrip], parents: set[int | None]) -> bool:
    """Whether each parent was fetched by a line of its own: their number is that of the lines."""
    numbers = {number for load in runs for number in load.parent_statements}
    queries = [query for number in numbers if (query := scope.statement(number)) is not None]
    lines = {query.stack_key for query in queries}
    is_single = all(query.cause is Cause.GET or query.row_count == 1 for query in queries)
    return bool(queries) and is_single and len(lines) >= len(parents)


def _refreshes(trips: Sequence[RoundTrip], load: RoundTrip) -> set[int]:
    """A refresh asks for columns, too: those statements belong to the same line."""
    if Cause.REFRESH not in {load.cause, load.loaded_for}:
        return set()
    return {
        trip.statement
        for trip in trips
        if trip.cause is Cause.REFRESH and trip.stack_key == load.stack_key
    }


def _finding(scope: Scope, runs: Sequence[RoundTrip], parents: int) -> Finding:
    load = runs[0]
    query = scope.parent_query(load)
    relationship = load.relationship or ""
    path = load.relationship_path or (relationship,)
    option = eager_option(path, is_scalar=load.is_scalar_relationship)
    line = query.call_site if query is not None else None
    return scope.finding(
        KIND,
        runs,
        severity=Severity.ERROR,
        title=f"{relationship} was loaded {len(runs)} times, once for each of {parents} parents",
        fix=_fix(load, option, code=line.code if line else "", entity=load.parent_entity),
        label=relationship,
        site=line,
    )


def _fix(load: RoundTrip, option: str, *, code: str, entity: str | None) -> str:
    if Cause.REFRESH in {load.cause, load.loaded_for}:
        return (
            f"query all of them once more instead of refreshing each: .options({option}) and "
            ".execution_options(populate_existing=True)"
        )
    instead = edited(code, entity=entity, option=option)
    if load.cause is Cause.LOADER:
        return (
            f"add .options({option}) to the query that loads the parents: immediate loading is "
            f"one statement for each row{_shown(instead)}"
        )
    return f"add .options({option}) to the query that loads the parents{_shown(instead)}"


def _shown(instead: str | None) -> str:
    return f":\n{instead}" if instead else ""
