"""SQLAlchemy's cursor events, turned into round trips.

Listens on the `Engine` class: applications make engines at import, in their lifespan or per
request, and all of them must be seen. The listeners of one `StatementListener` exist only inside
its `listening` block.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.exc import MissingGreenlet

from harness.capture.fingerprint import fingerprint
from harness.capture.orm import origin_of
from harness.capture.recording import Cause, Phase, RoundTrip
from harness.capture.requests import ActiveRequest, current_lifespan, current_request
from harness.capture.source import CallStack, SourceMap
from harness.capture.transactions import TransactionListener

__all__ = ["StatementListener", "StatementObserver"]

_TRANSACTION_CONTROL = re.compile(
    r"\s*(?:SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|SET\s+TRANSACTION)\b", re.IGNORECASE
)
_REMEMBERED = "_harness_executions"
_NO_STACK = CallStack(site=None, key=0, phase=Phase.UNKNOWN)


class StatementObserver(Protocol):
    """Whoever wants to hear of statements."""

    def on_round_trip(self, trip: RoundTrip) -> None:
        """Called after every cursor execution, successful or not."""

    def on_transaction_control(self) -> None:
        """Called after SAVEPOINT, RELEASE and their kin."""


@dataclass(slots=True)
class _Execution:
    """What is remembered of a logical statement while it runs; lives on SQLAlchemy's context."""

    number: int
    batch: int
    started_seconds: float


@contextmanager
def _listening(target: type, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


@dataclass(slots=True, eq=False)
class StatementListener:
    """Reports every statement of the process to one observer.

    Args:
        observer: Told of each round trip.
        source: Finds call sites; without it no stack is walked, which is cheaper.
        transactions: Tells which transaction a statement is part of.
    """

    observer: StatementObserver
    source: SourceMap | None = None
    transactions: TransactionListener | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what runs inside the block."""
        with ExitStack() as stack:
            stack.enter_context(_listening(Engine, "before_cursor_execute", self._before))
            stack.enter_context(_listening(Engine, "after_cursor_execute", self._after))
            stack.enter_context(_listening(Engine, "handle_error", self._failed))
            yield

    def _before(  # noqa: PLR0917 - the event's signature
        self,
        connection: Connection,  # noqa: ARG002 - the event's signature
        cursor: Any,  # noqa: ARG002, ANN401 - a DBAPI cursor
        statement: str,  # noqa: ARG002 - the event's signature
        parameters: Any,  # noqa: ARG002, ANN401 - of any paramstyle
        context: ExecutionContext | None,
        executemany: bool,  # noqa: ARG002, FBT001 - the event's signature
    ) -> None:
        running = _executions(context).get(self)
        if running is None:
            running = _Execution(next(self._numbers), 0, perf_counter())
            _executions(context)[self] = running
        else:
            running.batch += 1
            running.started_seconds = perf_counter()

    def _after(  # noqa: PLR0917 - the event's signature
        self,
        connection: Connection,
        cursor: Any,  # noqa: ANN401 - a DBAPI cursor
        statement: str,
        parameters: Any,  # noqa: ANN401 - of any paramstyle
        context: ExecutionContext | None,
        executemany: bool,  # noqa: ARG002, FBT001 - the event's signature
    ) -> None:
        self._report(connection, statement, parameters, context, rows=_row_count(cursor))

    def _failed(self, error: ExceptionContext) -> None:
        context = error.execution_context
        if context is None or error.statement is None or error.connection is None:
            return  # failed before a cursor ran
        if isinstance(error.original_exception, MissingGreenlet):
            return  # no SQL was sent: whether a cursor event came first depends on the driver
        self._report(
            error.connection, error.statement, error.parameters, context, rows=-1, has_failed=True
        )

    def _report(
        self,
        connection: Connection,
        statement: str,
        parameters: Any,  # noqa: ANN401 - of any paramstyle
        context: ExecutionContext | None,
        *,
        rows: int,
        has_failed: bool = False,
    ) -> None:
        ended = perf_counter()
        if _TRANSACTION_CONTROL.match(statement):
            self.observer.on_transaction_control()
            return
        running = _executions(context).get(self)
        if running is None:
            running = _Execution(next(self._numbers), 0, ended)
        compiled = str(getattr(getattr(context, "compiled", None), "string", ""))
        origin = origin_of(context)
        is_rendered = bool(compiled) and origin.cause is not Cause.RAW
        stack = _NO_STACK if self.source is None else self.source.stack()
        transactions = self.transactions
        request = current_request.get()
        self.observer.on_round_trip(
            RoundTrip(
                statement=running.number,
                batch=running.batch,
                database=connection.engine.url.database or "",
                dialect=f"{connection.dialect.name}+{connection.dialect.driver}",
                fingerprint=fingerprint(
                    compiled if is_rendered else statement, is_compiled=is_rendered
                ),
                cause=origin.cause,
                started_seconds=running.started_seconds,
                seconds=ended - running.started_seconds,
                has_failed=has_failed,
                row_count=rows,
                parameters_key=hash(repr(parameters)),
                connection=id(connection.connection.dbapi_connection) if not has_failed else 0,
                entity=origin.entity,
                relationship=origin.relationship,
                is_scalar_relationship=origin.is_scalar,
                parent_key=origin.parent_key,
                parent_entity=origin.parent_entity,
                request=request.number if request is not None else None,
                phase=_phase(request, stack),
                call_site=stack.site,
                stack_key=stack.key,
                transaction=transactions.statement(connection, statement) if transactions else None,
            )
        )


def _phase(request: ActiveRequest | None, stack: CallStack) -> Phase:
    lifespan = current_lifespan.get()
    if lifespan is not None and lifespan.is_working:
        return Phase.LIFESPAN
    if request is not None and request.is_answered:
        return Phase.AFTER_RESPONSE
    return stack.phase


def _executions(context: ExecutionContext | None) -> dict[StatementListener, _Execution]:
    """What each listener remembers of a statement: several may be at work at once."""
    if context is None:
        return {}
    known: dict[StatementListener, _Execution] | None = getattr(context, _REMEMBERED, None)
    if known is None:
        known = {}
        setattr(context, _REMEMBERED, known)
    return known


def _row_count(cursor: Any) -> int:  # noqa: ANN401 - a DBAPI cursor
    count = getattr(cursor, "rowcount", -1)
    return count if isinstance(count, int) else -1
