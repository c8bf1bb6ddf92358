"""Statements counted and nothing else: what a probe in a running application may cost.

Beside `statements`, which notes what each of them was. One listener instead of two, and no stack,
no shape and no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import ExecuteStyle, ExecutionContext
from sqlalchemy.exc import MissingGreenlet

from harness.capture.guard import Guard
from harness.capture.requests import ActiveRequest, active_request, current_lifespan
from harness.capture.shapes import is_transaction_control

__all__ = ["CountingListener"]

_SEEN = "_harness_counted"


@dataclass(slots=True, eq=False)
class CountingListener:
    """Tells of every round trip of the process.

    Args:
        count: Called with the request, and whether it is the first of its statement.
        guard: Keeps the first error of ours.
    """

    count: Callable[[ActiveRequest | None, bool], None]
    guard: Guard = field(default_factory=Guard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what runs inside the block."""
        with ExitStack() as stack:
            for name, listener in (
                ("after_cursor_execute", self._after),
                ("handle_error", self._failed),
            ):
                event.listen(Engine, name, listener)
                stack.callback(self.guard.unlisten, Engine, name, listener)
            yield

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
            lifespan = current_lifespan.get()
            if lifespan is not None and lifespan.is_working:
                return
            if statement[:1] in "SRBCsrbc \n" and is_transaction_control(statement):
                return
            is_first = True
            if context is not None and context.execute_style is ExecuteStyle.INSERTMANYVALUES:
                is_first = not hasattr(context, _SEEN)
                setattr(context, _SEEN, True)
            self.count(active_request(), is_first)
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def _failed(self, error: ExceptionContext) -> None:
        if error.execution_context is None or error.statement is None:
            return  # failed before a cursor ran
        if isinstance(error.original_exception, MissingGreenlet):
            return  # no SQL was sent
        context = error.execution_context
        self._after(error.connection, None, error.statement, None, context, executemany=False)
