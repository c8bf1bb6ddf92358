"""Notes made into records: lines, shapes, causes and phases, looked up when somebody asks.

A recording is asked for once or a few times, a statement is noted thousands of times: what can be
found out later is found out here. What was described once is kept as described.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType

from harness.capture.binds import BindKeys, bind_keys
from harness.capture.noted import Noted, Scope
from harness.capture.orm import Kind, Load, Target, class_name, relationships_of, root_of
from harness.capture.phases import Moment, phase_of
from harness.capture.recording import Cause, Refusal, RoundTrip, Tally
from harness.capture.refusals import NotedRefusal
from harness.capture.requests import ActiveRequest
from harness.capture.source import CallStack, SourceMap
from harness.capture.stacks import Stack

__all__ = ["Describer"]

_MOST_PARENTS = 3
_PARENTS = frozenset({Cause.QUERY, Cause.GET})


@dataclass(slots=True, eq=False)
class _Described:
    """The part of a scope that has been described."""

    trips: list[RoundTrip] = field(default_factory=list)
    parents: dict[tuple[int | None, str], dict[Stack, int]] = field(default_factory=dict)
    """The newest query from each stack that can have loaded objects of a class, by session; None
    for all sessions."""


@dataclass(slots=True, eq=False)
class Describer:
    """Describes what a `StatementListener` has noted."""

    source: SourceMap
    _keys: BindKeys = field(default_factory=bind_keys)
    _scopes: dict[Scope, _Described] = field(default_factory=dict)
    _stacks: dict[Stack, CallStack] = field(default_factory=dict)
    _tasks: dict[int, tuple[int, ReferenceType[Any]]] = field(default_factory=dict)

    def round_trips(self, scope: Scope) -> list[RoundTrip]:
        """Everything that was noted in a scope, in the order in which it ended."""
        known = self._scopes.setdefault(scope, _Described())
        for index in range(len(known.trips), len(scope.noted)):
            noted = scope.noted[index]
            if noted is not None:
                known.trips.append(self._round_trip(Noted._make(noted), scope.request, known))
                scope.noted[index] = None  # its place counts for how many are kept
        return known.trips

    def tally(self, scope: Scope) -> Tally:
        """The exact counts of a scope."""
        trips = self.round_trips(scope)
        return Tally(
            request=scope.request.number if scope.request is not None else None,
            statements=sum(trip.batch == 0 for trip in trips) + scope.further_statements,
            round_trips=len(trips) + scope.further_round_trips,
            transaction_controls=scope.transaction_controls,
            kept=len(trips),
        )

    def parents(self, scope: Scope, entity: str, before: float) -> tuple[int, ...]:
        """Statements of a scope that can have loaded objects of a class before a moment."""
        found: dict[int, int] = {}
        for trip in reversed(self.round_trips(scope)):
            if trip.cause in _PARENTS and entity in trip.entities and trip.started_seconds < before:
                found.setdefault(trip.stack_key, trip.statement)
        return tuple(found.values())[:_MOST_PARENTS]

    def refusals(
        self, noted: Iterable[NotedRefusal], scopes: Mapping[ActiveRequest | None, Scope]
    ) -> Iterator[Refusal]:
        """What the ORM refused to load."""
        for item in noted:
            stack, target = self.stack(item.stack), item.target
            load = target.load if target is not None else None
            root = root_of(load) if load is not None else None
            scope = scopes.get(item.request)
            yield Refusal(
                reason=item.reason,
                at_seconds=item.at_seconds,
                entity=target.entity if target is not None else None,
                attribute=target.attribute if target is not None else None,
                is_relationship=target is not None and target.is_relationship,
                is_scalar=target is not None and target.is_scalar,
                parent_key=self._parent_key(load),
                parent_entity=root,
                relationship_path=_refused_path(target),
                parent_statements=(
                    self.parents(scope, root, item.at_seconds) if scope and root else ()
                ),
                request=item.request.number if item.request is not None else None,
                phase=phase_of(item.stack, item.request, item.moment),
                call_site=stack.site,
                stack_key=stack.key,
            )

    def stack(self, stack: Stack) -> CallStack:
        """A stack explained, once."""
        known = self._stacks.get(stack)
        if known is None:
            known = self._stacks[stack] = self.source.explained(stack)
        return known

    def _round_trip(
        self, noted: Noted, request: ActiveRequest | None, known: _Described
    ) -> RoundTrip:
        shape, load, bounds, connection = noted.shape, noted.load, noted.bounds, noted.connection
        subject = shape.subject
        stack = self.stack(noted.stack)
        cause = _cause(noted)
        transaction = noted.transaction
        session = transaction.session if transaction is not None else None
        if session is None and load is not None:
            session = load.session
        parent_entity = _root(noted)
        parents = _parents(known, session, parent_entity)
        if cause in _PARENTS:
            _remember(known, session, noted)
        is_known_transaction = transaction is not None and not transaction.is_autocommit
        return RoundTrip(
            statement=noted.statement,
            batch=noted.batch,
            database=connection.database,
            dialect=connection.dialect,
            fingerprint=shape.fingerprint,
            cause=cause,
            started_seconds=noted.started_seconds,
            seconds=noted.ended_seconds - noted.started_seconds,
            has_failed=noted.row_count is None,
            row_count=noted.row_count if isinstance(noted.row_count, int) else -1,
            parameters_key=noted.parameters_key,
            connection=connection.number,
            entity=subject.entity,
            relationship=str(subject.path.path[-1]) if subject.path is not None else None,
            is_scalar_relationship=subject.is_scalar,
            parent_key=self._parent_key(load),
            parent_entity=parent_entity,
            request=request.number if request is not None else None,
            phase=phase_of(noted.stack, request, Moment._make(noted.moment or Moment())),
            call_site=stack.site,
            stack_key=stack.key,
            transaction=transaction.number if transaction and is_known_transaction else None,
            entities=subject.entities,
            relationship_path=_path(noted),
            parent_statements=parents,
            loaded_for=load.loaded_for if load is not None else None,
            session=session,
            flush=noted.flush or None,
            task=self._task(noted.task),
            thread=noted.thread,
            parameter_sets=noted.parameter_sets,
            in_size=bounds.in_size if bounds else 0,
            in_keys=bounds.in_keys if bounds else (),
            limit=bounds.limit if bounds else shape.limit,
            offset=bounds.offset if bounds else shape.offset,
            range_keys=bounds.range_keys if bounds else (),
            tenant_key=noted.tenant_key,
            is_streamed=noted.is_streamed,
        )

    def _parent_key(self, load: Load | None) -> int | None:
        return None if load is None or load.parent is None else self._keys.of(load.parent)

    def _task(self, task: ReferenceType[Any] | None) -> int | None:
        if task is None:
            return None
        # All references to a task are one object. It is kept, so no other can get its address.
        return self._tasks.setdefault(id(task), (len(self._tasks) + 1, task))[0]


def _refused_path(target: Target | None) -> tuple[str, ...]:
    if target is None:
        return ()
    return (*relationships_of(target.load.parent_path), target.attribute)


def _cause(noted: Noted) -> Cause:
    if noted.load is not None:
        return noted.load.cause
    if noted.shape.subject.kind is not Kind.CHANGE or noted.flush is None:
        return noted.shape.cause
    return Cause.FLUSH if noted.flush else Cause.BULK


def _root(noted: Noted) -> str | None:
    load, path = noted.load, noted.shape.subject.path
    if load is not None and load.parent is not None:
        return root_of(load)
    return class_name(path.path[0]) if path is not None else None


def _path(noted: Noted) -> tuple[str, ...]:
    """The relationships that lead from the root to what was loaded."""
    load, subject = noted.load, noted.shape.subject
    if load is None or load.parent is None or load.cause is Cause.LOADER:
        return subject.relationships
    return (*relationships_of(load.parent_path), *subject.relationships[-1:])


def _parents(known: _Described, session: int | None, entity: str | None) -> tuple[int, ...]:
    if entity is None:
        return ()
    found = known.parents.get((session, entity)) or known.parents.get((None, entity)) or {}
    return tuple(reversed(found.values()))[:_MOST_PARENTS]


def _remember(known: _Described, session: int | None, noted: Noted) -> None:
    for entity in noted.shape.subject.entities:
        for key in {(session, entity), (None, entity)}:
            queries = known.parents.setdefault(key, {})
            queries.pop(noted.stack, None)  # the newest from one line stands for all of that line
            queries[noted.stack] = noted.statement
