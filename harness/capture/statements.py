"""SQLAlchemy's cursor events, noted in microseconds.

Listens on the `Engine` class: applications make engines at import, in their lifespan or per
request, and all of them must be seen. What runs inside the application is kept to what cannot be
had later: a tuple of numbers and of objects that many statements share. `description` makes records
of them when somebody asks. The listeners of one `StatementListener` exist only inside its
`listening` block.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from weakref import ref

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import ExecuteStyle, ExecutionContext
from sqlalchemy.exc import MissingGreenlet

from harness.capture.awaited import AwaitedStacks
from harness.capture.binds import BindKeys, bind_keys, values_of_list
from harness.capture.connections import KnownConnection, known_connection
from harness.capture.guard import Guard
from harness.capture.noted import Bounds, Scope
from harness.capture.orm import load_of
from harness.capture.requests import (
    ActiveRequest,
    active_request,
    current_lifespan,
    current_request,
)
from harness.capture.shapes import Shape, ShapeBook, is_transaction_control
from harness.capture.sockets import current_socket
from harness.capture.source import SourceMap
from harness.capture.stacks import Boundary, StackBook
from harness.capture.transactions import OpenTransaction, TransactionListener, current_flush

__all__ = ["MOST_KEPT", "StatementListener"]

_RECENT = 16
MOST_KEPT = 10_000
"""Round trips that are described of one request, and of what runs outside of requests."""


@dataclass(slots=True, eq=False)
class StatementListener:
    """Notes every statement of the process.

    Args:
        source: Tells the user's frames from others.
        transactions: Tells which transaction and session a statement is part of.
        guard: Keeps the first error of ours.
        watches: Whether the statements of an engine are wanted; those of all by default.
        most_kept: Round trips that are described of each request; beyond them they are counted.
    """

    source: SourceMap
    transactions: TransactionListener
    guard: Guard = field(default_factory=Guard)
    watches: Callable[[Engine], bool] | None = None
    most_kept: int = MOST_KEPT
    scopes: dict[ActiveRequest | None, Scope] = field(default_factory=dict)
    """By request; None for what runs outside of requests."""
    shapes: ShapeBook = field(default_factory=ShapeBook)
    _stacks: StackBook = field(init=False)
    _keys: BindKeys = field(default_factory=bind_keys)
    _thread_names: dict[int, str] = field(default_factory=dict)
    _batch: str = field(init=False)
    _lost: KnownConnection = field(default_factory=lambda: KnownConnection(0, "", ""))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._stacks = StackBook(self.source)
        # Several listeners may be at work, each with marks of its own on SQLAlchemy's context.
        self._batch = f"_harness_batch_{id(self)}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note what runs inside the block."""
        note = self._noting()

        def failed(error: ExceptionContext) -> None:
            if self._is_new_failure(error):
                context = error.execution_context
                many = bool(getattr(context, "executemany", False))
                note(error.connection, None, error.statement, error.parameters, context, many)

        with ExitStack() as stack:
            # With `retval` SQLAlchemy calls the listener itself, without it a wrapper around it.
            for name, listener, retval in (
                ("before_cursor_execute", self._starting(), True),
                ("after_cursor_execute", note, False),
                ("handle_error", failed, False),
            ):
                event.listen(Engine, name, listener, retval=retval)
                stack.callback(self.guard.unlisten, Engine, name, listener)
            yield

    @staticmethod
    def _starting() -> Callable[..., tuple[str, Any]]:
        def start(
            _connection: Connection,
            _cursor: Any,  # noqa: ANN401 - a DBAPI cursor
            statement: str,
            parameters: Any,  # noqa: ANN401 - of any paramstyle
            context: Any,  # noqa: ANN401 - dialects differ in their context classes
            _executemany: bool,  # noqa: FBT001 - the event's signature
        ) -> tuple[str, Any]:
            if context is not None:
                # Several listeners may be at work: they share one moment.
                context.harness_started = perf_counter()
            return statement, parameters

        return start

    def _noting(self) -> Callable[..., None]:  # noqa: C901, PLR0915 - see below
        """The listener that notes.

        One function that finds everything in its own scope: as methods of objects the same took
        twice the time, and it is what a recording adds to each of the application's statements.
        """
        scopes, most_kept, guard = self.scopes, self.most_kept, self.guard
        watches, shapes, take, numbers = (
            self.watches,
            self.shapes,
            self._stacks.taking(),
            self._numbers,
        )
        in_transaction, threads = self.transactions.attribute, self._thread_names
        keys, salt, pepper = self._keys, self._keys.salt, self._keys.pepper
        request_of, lifespan_of = current_request.get, current_lifespan.get
        socket_of, meanwhile = current_socket.get, AwaitedStacks(self.source).meanwhile
        loop_bottom, thread_bottom = Boundary.LOOP, Boundary.THREAD
        flush_of, thread_of, frame_of = current_flush.get, threading.get_ident, sys._getframe  # noqa: SLF001 - documented
        loop_of = asyncio._get_running_loop  # noqa: SLF001 - listed in asyncio.__all__; never raises
        batched = ExecuteStyle.INSERTMANYVALUES
        no_context = _NoContext()

        def note(  # noqa: C901, PLR0912, PLR0915, PLR0917 - see above
            connection: Connection,
            cursor: Any,  # noqa: ANN401 - a DBAPI cursor; None where it failed
            statement: str,
            parameters: Any,  # noqa: ANN401 - of any paramstyle
            context: Any,  # noqa: ANN401 - dialects differ in their context classes
            executemany: bool,  # noqa: FBT001 - the event's signature
        ) -> None:
            ended = perf_counter()
            lifespan = lifespan_of()
            if lifespan is not None and lifespan.is_working:
                return  # the application's start-up is no request's and no test's work
            if watches is not None and not watches(connection.engine):
                return
            request = request_of()
            if request is None:
                socket = socket_of()
                if socket is not None:
                    request = socket.exchange
            scope = scopes.get(request)
            if scope is None:
                scope = scopes.setdefault(request, Scope(request))
            noted = scope.noted
            if guard.failure or len(noted) >= most_kept:
                self._count(scope, statement, context)
                return
            try:
                try:
                    shape: Shape = context.compiled.harness_shape
                except AttributeError:  # raw SQL, or seen for the first time
                    context = no_context if context is None else context
                    shape = shapes.shape(statement, context)
                    shape.depth = self._stacks.depth(frame_of(1))
                if shape.is_control:
                    scope.count_control()
                    return
                transaction: OpenTransaction | None = getattr(connection, in_transaction, None)
                known = transaction.connection if transaction is not None else None
                if known is None:
                    known = self._known(connection, transaction)
                if cursor is not None:
                    rows, frame = cursor.rowcount, frame_of(shape.depth)
                else:
                    rows, frame = None, frame_of(1)
                stack = take(frame)
                try:
                    key = hash((salt, parameters, shape.text_key, pepper))
                except (TypeError, ValueError):  # a mapping; an array, document or buffer in it
                    key = keys.of((keys.of(parameters), shape.text_key))
                options = context.execution_options
                if shape.is_write and transaction is not None:
                    transaction.has_written = True
                elif shape.sets_search_path:
                    known.search_path_key = key
                if context.execute_style is batched:
                    number, batch = self._batch_of(context)
                else:
                    number, batch = next(numbers), 0
                translation = options.get("schema_translate_map") if options else None
                try:
                    started = context.harness_started
                except AttributeError:  # it had begun before we listened
                    started = ended
                loop, thread = loop_of(), thread_of()
                task = asyncio.current_task(loop) if loop is not None else None
                moment = None
                if request is not None:
                    bottom, awaited = stack.boundary, None
                    if bottom is loop_bottom or bottom is thread_bottom:
                        awaited = meanwhile(stack, request)
                    answered = request.answered_seconds is not None
                    # As in `Moment`; in the order of its fields.
                    moment = (request.is_routed, request.is_answered, answered, awaited)
                # As in `Noted`; in the order of its fields.
                noted.append((
                    number,
                    batch,
                    started,
                    ended,
                    rows,
                    shape,
                    load_of(context, shape.subject) if shape.is_orm_select else None,
                    stack,
                    known,
                    transaction,
                    flush_of() or 0 if shape.is_write and "compiled_cache" in options else None,
                    key,
                    _parameter_sets(parameters, shape) if executemany else shape.rows,
                    self._bounds(shape, context) if shape.has_roles else None,
                    self._tenant(known, translation) if translation else known.search_path_key,
                    "stream_results" in options,
                    ref(task) if task is not None else None,
                    threads.get(thread) or self._named(thread),
                    moment,
                ))  # fmt: skip
            except Exception as error:  # noqa: BLE001 - the application must not see it
                guard.remember(error)
                self._count(scope, statement, context)

        return note

    def _is_new_failure(self, error: ExceptionContext) -> bool:
        """Whether a cursor ran, and nobody has noted it."""
        started = getattr(error.execution_context, "harness_started", None)
        if started is None or error.statement is None or error.connection is None:
            return False  # failed before a cursor ran
        if isinstance(error.original_exception, MissingGreenlet):
            return False  # no SQL was sent: whether a cursor event came first depends on the driver
        scope = self.scopes.get(active_request())
        recent = scope.noted[-_RECENT:] if scope is not None else []
        # Behind a cursor that succeeded a listener of somebody else may fail.
        return not any(row is not None and row[2] == started for row in recent)

    def _count(self, scope: Scope, statement: str, context: ExecutionContext | None) -> None:
        """Count what is not described."""
        if is_transaction_control(statement):
            scope.count_control()
            return
        is_batch = getattr(context, "execute_style", None) is ExecuteStyle.INSERTMANYVALUES
        scope.count(self._batch_of(context)[1] if is_batch else 0)

    def _batch_of(self, context: Any) -> tuple[int, int]:  # noqa: ANN401
        """Number of the statement, and which of its batches this is."""
        last: tuple[int, int] | None = getattr(context, self._batch, None)
        now = (next(self._numbers), 0) if last is None else (last[0], last[1] + 1)
        setattr(context, self._batch, now)
        return now

    def _known(
        self, connection: Connection, transaction: OpenTransaction | None
    ) -> KnownConnection:
        if connection.closed or connection.invalidated:
            return self._lost  # asking it for anything would connect anew, or raise
        known = known_connection(connection)
        if transaction is not None:
            transaction.connection = known
        return known

    def _bounds(self, shape: Shape, context: Any) -> Bounds:  # noqa: ANN401
        values: Mapping[str, Any] = context.compiled_parameters[0]
        roles, keys = shape.roles, self._keys
        lists = (values_of_list(values, name) for name in roles.lists)
        longest = max(lists, key=len, default=())
        ranges = (keys.of_range(values.get(name)) for name in roles.ranges)
        return Bounds(
            in_size=len(longest),
            # The chunks of an eager loader are its own affair.
            in_keys=() if shape.subject.path is not None else keys.of_list(longest),
            limit=_whole(values.get(roles.limit)) if roles.limit else None,
            offset=_whole(values.get(roles.offset)) if roles.offset else None,
            range_keys=tuple(found for found in ranges if found is not None),
        )

    def _tenant(self, known: KnownConnection, translation: Mapping[Any, Any]) -> int:
        return self._keys.of((known.search_path_key, repr(sorted(translation.items(), key=repr))))

    def _named(self, thread: int) -> str:
        name = self._thread_names[thread] = threading.current_thread().name
        return name


class _NoContext:
    """Stands in where SQLAlchemy passes no context on."""

    compiled = None
    invoked_statement = None
    execution_options: Mapping[str, Any] = {}
    execute_style = ExecuteStyle.EXECUTE


def _parameter_sets(parameters: Any, shape: Shape) -> int:  # noqa: ANN401 - of any paramstyle
    if isinstance(parameters, list):
        return len(parameters)
    return max(len(parameters) // max(shape.roles.count, 1), 1)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
