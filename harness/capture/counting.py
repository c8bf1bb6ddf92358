"""Statements counted and timed and nothing else: what a probe in a running application may cost.

Beside `statements`, which notes what each of them was. No stack, no shape and no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

from greenlet import getcurrent
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import ExecuteStyle, ExecutionContext
from sqlalchemy.exc import MissingGreenlet

from harness.capture.guard import Guard
from harness.capture.pool import HELD_IN_INFO
from harness.capture.pool_state import Held
from harness.capture.requests import ActiveRequest, active_request, current_lifespan
from harness.capture.shapes import is_transaction_control

__all__ = ["CountingListener", "StatementObserver"]

_SEEN = "_harness_counted"
_HELD = "_harness_held"


class StatementObserver(Protocol):
    """Whoever counts statements."""

    def on_round_trip(self, request: ActiveRequest | None, *, is_first: bool) -> None:
        """Called for each, and whether it is the first of its statement."""

    def on_shared(self, request: ActiveRequest) -> None:
        """Called when it uses a connection that somebody else has not done with."""


@dataclass(slots=True, eq=False)
class CountingListener:
    """Tells of every round trip of the process.

    How long one ran is added to its connection's pool and to its request: where a `PoolWatcher`
    is at work, connections say whose they are.

    Args:
        observer: Hears of them.
        guard: Keeps the first error of ours.
    """

    observer: StatementObserver
    guard: Guard = field(default_factory=Guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what runs inside the block."""
        with ExitStack() as stack:
            for name, listener in (
                ("before_cursor_execute", self._before),
                ("after_cursor_execute", self._after),
                ("handle_error", self._failed),
            ):
                event.listen(Engine, name, listener)
                stack.callback(self.guard.unlisten, Engine, name, listener)
            yield

    def _before(  # noqa: PLR0917 - the event's signature
        self,
        connection: Connection,
        cursor: Any,  # noqa: ARG002, ANN401 - a DBAPI cursor
        statement: str,  # noqa: ARG002 - the event's signature
        parameters: Any,  # noqa: ARG002, ANN401 - of any paramstyle
        context: ExecutionContext | None,
        executemany: bool,  # noqa: ARG002, FBT001 - the event's signature
    ) -> None:
        if self.guard.failure:
            return
        try:
            held: Held | None = connection.info.get(HELD_IN_INFO)
            if held is None or context is None:
                return
            request, runner = active_request(), getcurrent()
            if request is not held.user or held.executing_by is not None:
                self._look(held, request, held.executing_by is not runner)
            setattr(context, _HELD, held)
            held.executing_by = runner
            held.executing_seconds = perf_counter()
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _look(self, held: Held, request: ActiveRequest | None, is_other: bool) -> None:  # noqa: FBT001
        """Whether a connection is used by two at once: it belongs to a session, so that is, too."""
        user = held.user
        if request is None:
            return
        held.user = request
        if held.pool.hands_out_one:
            return
        if user is not request:
            if user is not None and not user.has_ended:
                self.observer.on_shared(request)
        elif is_other and _is_under_way(held):
            self.observer.on_shared(request)

    def _after(  # noqa: PLR0917 - the event's signature
        self,
        connection: Connection | None,  # noqa: ARG002 - the event's signature
        cursor: Any,  # noqa: ARG002, ANN401 - a DBAPI cursor
        statement: str,
        parameters: Any,  # noqa: ARG002, ANN401 - of any paramstyle
        context: ExecutionContext | None,
        executemany: bool,  # noqa: ARG002, FBT001 - the event's signature
    ) -> None:
        try:
            request = active_request()
            held: Held | None = getattr(context, _HELD, None)
            if held is not None and held.executing_by is not None:
                _add(held, request)
            lifespan = current_lifespan.get()
            if lifespan is not None and lifespan.is_working:
                return
            if statement[:1] in "SRBCsrbc \n" and is_transaction_control(statement):
                return
            is_first = True
            if context is not None and context.execute_style is ExecuteStyle.INSERTMANYVALUES:
                is_first = not hasattr(context, _SEEN)
                setattr(context, _SEEN, True)
            self.observer.on_round_trip(request, is_first=is_first)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _failed(self, error: ExceptionContext) -> None:
        if error.execution_context is None or error.statement is None:
            return  # failed before a cursor ran
        if isinstance(error.original_exception, MissingGreenlet):
            return  # no SQL was sent
        context = error.execution_context
        self._after(error.connection, None, error.statement, None, context, executemany=False)


def _is_under_way(held: Held) -> bool:
    """Whether a task executes on a connection at this moment.

    What failed without a word leaves its greenlet behind, but a dead one. Threads have none but
    their main one, and the drivers let threads take turns.
    """
    runner = held.executing_by
    return runner is not None and not runner.dead and runner.parent is not None


def _add(held: Held, request: ActiveRequest | None) -> None:
    seconds = perf_counter() - held.executing_seconds
    held.executing_by = None
    held.pool.busy_seconds += seconds
    if request is not None:
        request.usage.busy_seconds += seconds
