"""Statements counted and timed and nothing else: what a probe in a running application may cost.

Beside `statements`, which notes what each of them was. No stack, no shape and no values.

The recorder hears of statements by `before_cursor_execute` and its kin. Whoever listens to any of
that family has SQLAlchemy prepare all of it anew for each `Connection`: 30 microseconds for a
request with one statement, 3 % of what serving it takes, before a listener has done anything
[measured]. The dialect's own `do_execute` costs next to nothing. It asks the listener to execute,
so that one call sees the beginning, the end and the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import dropwhile, islice
from time import perf_counter
from typing import Any, Protocol

from greenlet import getcurrent
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import ExecuteStyle
from sqlalchemy.exc import MissingGreenlet

from harness.capture.guard import Guard
from harness.capture.pool import PoolListener, is_connecting
from harness.capture.pool_state import Held
from harness.capture.requests import ActiveRequest, current_lifespan
from harness.capture.shapes import is_transaction_control

__all__ = ["CountingListener", "StatementObserver"]

_SEEN = "_harness_counted"
_IN_BATCHES = (
    ExecuteStyle.INSERTMANYVALUES
)  # to look up a member of an enum takes ten times as long
_NO_CONTROL = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")
"""What most statements begin with."""


class StatementObserver(Protocol):
    """Whoever counts statements."""

    def on_unattributed(self, *, is_first: bool) -> None:
        """Called for what no request sent, and whether it is the first of its statement."""

    def on_late(self, request: ActiveRequest, seconds: float, *, is_first: bool) -> None:
        """Called for what a request sent that had ended before, and how long it ran."""

    def on_shared(self, request: ActiveRequest) -> None:
        """Called when it uses a connection that somebody else has not done with."""


@dataclass(slots=True, eq=False)
class CountingListener:
    """Counts every round trip of the process for its request.

    How long one ran is added to its connection's pool and to its request.

    Args:
        observer: Hears of what is unusual.
        pools: Has noted whose each connection is; what is a request for them is one here.
        guard: Keeps the first error of ours.
    """

    observer: StatementObserver
    pools: PoolListener
    guard: Guard = field(default_factory=Guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what runs inside the block."""
        with ExitStack() as stack:
            for name in ("do_execute", "do_executemany", "do_execute_no_params"):
                listener = self._listener(name)
                event.listen(Engine, name, listener)
                stack.callback(self.guard.unlisten, Engine, name, listener)
            yield

    def _listener(self, name: str) -> Callable[..., bool]:  # noqa: C901 - long, see below
        guard, look, end = self.guard, self._look, self._end
        held_as, active = self.pools.held_as, self.pools.active

        # Long, because each call that it makes itself is made for every statement.
        def execute(cursor: Any, statement: str, *parameters_and_context: Any) -> bool:  # noqa: ANN401, C901 - of a driver
            """Execute instead of the dialect, after all who may want to do that, too."""
            context = parameters_and_context[-1]
            if context is None:
                return False  # no dialect of SQLAlchemy's does that
            request, held = active(), None
            try:
                held = held_as(context.root_connection.connection)
                if held is not None:
                    runner = getcurrent()
                    if request is not held.user or held.executing_by is not None:
                        look(held, request, held.executing_by is not runner)
                    held.executing_by = runner
            except Exception as error:  # noqa: BLE001 - the application must not see it
                guard.remember(error)
            started_seconds = perf_counter()
            try:
                executor = held.executor if held is not None else None
                if executor is not None and executor[0] is name:
                    executor[1](cursor, statement, *parameters_and_context)
                else:
                    dialect = context.dialect
                    listeners, run = getattr(dialect.dispatch, name), getattr(dialect, name)
                    is_alone = len(listeners) == 1
                    if held is not None and is_alone:
                        held.executor = name, run
                    if is_alone or not _is_done_by_another(
                        listeners, execute, cursor, statement, *parameters_and_context
                    ):
                        run(cursor, statement, *parameters_and_context)
            except MissingGreenlet:  # no SQL was sent
                if held is not None:
                    held.executing_by = None
                raise
            except BaseException:
                end(context, statement, held, request, started_seconds)
                raise
            end(context, statement, held, request, started_seconds)
            return True

        return execute

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

    def _end(
        self,
        context: Any,  # noqa: ANN401 - of a dialect
        statement: str,
        held: Held | None,
        request: ActiveRequest | None,
        started_seconds: float,
    ) -> None:
        """Add it up, unless it belongs to nobody."""
        try:
            seconds = perf_counter() - started_seconds
            if held is not None:
                held.executing_by = None
                held.pool.busy_seconds += seconds
            elif is_connecting():
                return  # SQLAlchemy asks the server for its version
            is_control = not statement.startswith(_NO_CONTROL) and is_transaction_control(statement)
            is_first = True
            if context.execute_style is _IN_BATCHES:
                is_first = not hasattr(context, _SEEN)
                setattr(context, _SEEN, True)
            if request is not None and request.has_ended:
                request = self.pools.active()  # a WebSocket's next exchange
            if request is None or request.has_ended:
                if not is_control:
                    self._end_outside(request, seconds, is_first=is_first)
                return
            usage = request.usage
            usage.busy_seconds += seconds
            if not is_control:
                usage.statements += is_first
                usage.round_trips += 1
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _end_outside(
        self, request: ActiveRequest | None, seconds: float, *, is_first: bool
    ) -> None:
        """Of no request, or after its end."""
        if request is not None:
            self.observer.on_late(request, seconds, is_first=is_first)
        elif not _is_working_lifespan():
            self.observer.on_unattributed(is_first=is_first)


def _is_working_lifespan() -> bool:
    lifespan = current_lifespan.get()
    return lifespan is not None and lifespan.is_working


def _is_done_by_another(
    listeners: Iterable[Callable[..., Any]], mine: Callable[..., Any], *execution: object
) -> bool:
    """Whether a listener behind ours executes the statement, which would be its right."""
    behind = islice(dropwhile(lambda listener: listener is not mine, listeners), 1, None)
    return any(listener(*execution) for listener in behind)


def _is_under_way(held: Held) -> bool:
    """Whether a task executes on a connection at this moment.

    What failed without a word leaves its greenlet behind, but a dead one. Threads have none but
    their main one, and the drivers let threads take turns.
    """
    runner = held.executing_by
    return runner is not None and not runner.dead and runner.parent is not None
