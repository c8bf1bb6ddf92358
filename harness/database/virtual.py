"""A connection of asyncpg's kind that shares one physical connection with others of its kind.

SQLAlchemy's own adapter sits on top of it unchanged: it is handed out through the documented
``async_creator_fn`` argument, and speaks asyncpg's public interface only. What the adapter begins,
commits and rolls back becomes savepoints of the test's one transaction.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from harness.capture.requests import ActiveRequest, current_request
from harness.database.savepoints import Frame, SavepointStack, is_read
from harness.errors import SandboxConflictError

__all__ = ["PhysicalConnection", "VirtualConnection"]

_KEPT_STATEMENTS = 1000
_CHANGES_ROWS = re.compile(r"\s*(?:insert|update|delete|merge|with)\b", re.IGNORECASE)


def _owner() -> str:
    request = current_request.get()
    if request is None:
        return "the test"
    return f"{request.scope['method']} {request.scope['path']}"


@dataclass(slots=True, eq=False)
class PhysicalConnection:
    """The one connection of a test's transactions on one event loop."""

    connection: asyncpg.Connection[Any]
    wait_seconds: float
    stack: SavepointStack | None = None
    """None between tests."""
    has_ddl: bool = False
    _turn: asyncio.Condition = field(default_factory=asyncio.Condition)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _statements: dict[str, asyncpg.prepared_stmt.PreparedStatement[Any]] = field(
        default_factory=dict
    )
    _codecs: dict[tuple[str, str, str], object] = field(default_factory=dict)
    _requests: dict[Frame, ActiveRequest | None] = field(default_factory=dict)

    async def run(self, sql: str) -> None:
        """Run transaction control."""
        async with self._lock:
            await self.connection.execute(sql)

    async def begin(self) -> Frame:
        """Begin a transaction of the application, once it is the caller's turn.

        Transactions nest inside those of the test and of the same request; others wait.

        Raises:
            SandboxConflictError: If the wait does not end.
        """
        request = current_request.get()
        async with self._turn:
            await self._await_turn(request)
            if self.stack is None:
                await self.run("BEGIN")
                self.stack = SavepointStack()
            frame, sql = self.stack.begin(_owner())
            self._requests[frame] = request
            await self.run(sql)
            return frame

    async def _await_turn(self, request: ActiveRequest | None) -> None:
        def is_my_turn() -> bool:
            top = self.stack.top if self.stack is not None else None
            return top is None or self._requests[top] in {None, request}

        if is_my_turn():
            return
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._turn.wait_for(is_my_turn)
        except TimeoutError as error:
            holder = self.stack.top.owner if self.stack is not None and self.stack.top else ""
            raise SandboxConflictError(
                f"{_owner()} waited {self.wait_seconds:g} s for the transaction of {holder} to "
                "end: one connection serves the whole test",
                remedy="if both must be open at once, the test needs a database of its own",
            ) from error

    async def end(self, frame: Frame, *, is_commit: bool) -> None:
        """Commit or roll back a transaction of the application."""
        async with self._turn:
            if self.stack is None or not self.is_open(frame):
                return  # its test is over, and with it everything it did
            sql = self.stack.commit(frame) if is_commit else self.stack.rollback(frame)
            try:
                if sql:
                    await self.run(sql)
            finally:
                self._turn.notify_all()

    def is_open(self, frame: Frame) -> bool:
        """Whether a transaction belongs to the current test and has not ended."""
        return self.stack is not None and frame in self.stack.frames

    async def end_test(self) -> None:
        """Undo everything that the test did."""
        if self.stack is None:
            return
        self.stack = None
        self._requests.clear()
        await self.run("ROLLBACK")
        if self.has_ddl:
            self.has_ddl = False
            await self.forget_statements()

    async def prepare(self, sql: str) -> asyncpg.prepared_stmt.PreparedStatement[Any]:
        """A prepared statement, shared by all virtual connections: the cache stays warm."""
        known = self._statements.get(sql)
        if known is None:
            if len(self._statements) >= _KEPT_STATEMENTS:
                self._statements.clear()
            async with self._lock:
                known = await self.connection.prepare(sql)
            self._statements[sql] = known
        return known

    async def forget_statements(self) -> None:
        """Types or tables have changed: prepare anew."""
        self._statements.clear()
        async with self._lock:
            await self.connection.reload_schema_state()

    async def locked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """Await a call of the driver while nobody else uses the connection."""
        async with self._lock:
            return await call(*arguments, **options)

    async def set_type_codec(self, typename: str, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Set a codec once: each new SQLAlchemy connection asks for the same ones."""
        key = (typename, options.get("schema", "public"), options.get("format", "text"))
        code = getattr(options.get("encoder"), "__code__", None)
        if self._codecs.get(key) is not code or code is None:
            self._codecs[key] = code
            await self.locked(self.connection.set_type_codec, typename, **options)


@dataclass(slots=True, eq=False)
class VirtualStatement:
    """A prepared statement as the adapter uses it."""

    physical: PhysicalConnection
    prepared: asyncpg.prepared_stmt.PreparedStatement[Any]

    async def fetch(self, *arguments: Any) -> list[Any]:  # noqa: ANN401 - bind values
        """All rows."""
        rows: list[Any] = await self.physical.locked(self.prepared.fetch, *arguments)
        return rows

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever asyncpg has
        return getattr(self.prepared, name)


@dataclass(slots=True, eq=False)
class VirtualTransaction:
    """BEGIN, COMMIT and ROLLBACK as the adapter calls them."""

    connection: VirtualConnection
    physical: PhysicalConnection
    frame: Frame | None = None

    async def start(self) -> None:
        """BEGIN."""
        self.frame = await self.physical.begin()
        self.connection.open_transactions.append(self)

    async def commit(self) -> None:
        """COMMIT."""
        await self._end(is_commit=True)

    async def rollback(self) -> None:
        """ROLLBACK."""
        await self._end(is_commit=False)

    async def _end(self, *, is_commit: bool) -> None:
        frame, self.frame = self.frame, None
        if frame is not None:
            self.connection.open_transactions.remove(self)
            await self.physical.end(frame, is_commit=is_commit)


@dataclass(slots=True, eq=False)
class VirtualConnection:
    """What SQLAlchemy takes for an asyncpg connection of its own.

    Args:
        physical: Gives the physical connection of the running loop and the current test.
    """

    physical: Callable[[], PhysicalConnection]
    open_transactions: list[VirtualTransaction] = field(default_factory=list)
    """Its open transactions: one, and more where the application nests asyncpg's own."""

    def transaction(self, **_options: object) -> VirtualTransaction:
        """A transaction; isolation levels are the test's, since there is one real transaction."""
        return VirtualTransaction(self, self.physical())

    async def prepare(self, sql: str, *, name: str | None = None) -> VirtualStatement:  # noqa: ARG002
        """Prepare a statement; names are the harness's own, they would collide."""
        physical = self._noting(sql)
        return VirtualStatement(physical, await physical.prepare(sql))

    async def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """Run a statement."""
        physical = self._noting(sql)
        return await physical.locked(physical.connection.execute, sql, *arguments, **options)

    async def executemany(self, sql: str, rows: Sequence[Any], **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """Run a statement for each row."""
        physical = self._noting(sql)
        return await physical.locked(physical.connection.executemany, sql, rows, **options)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:  # noqa: ANN401 - a record or None
        """The first row; used by pre-ping."""
        physical = self._noting(sql)
        return await physical.locked(physical.connection.fetchrow, sql, *arguments)

    async def reload_schema_state(self) -> None:
        """Types or tables have changed."""
        await self.physical().forget_statements()

    async def set_type_codec(self, typename: str, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Set a codec on the physical connection."""
        await self.physical().set_type_codec(typename, **options)

    def is_closed(self) -> bool:
        """Never: the physical connection outlives it."""
        return False

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - asyncpg's
        """Roll back what is open."""
        while self.open_transactions:
            await self.open_transactions[-1].rollback()

    def terminate(self) -> None:
        """Roll back what is open, as soon as the loop allows."""
        with suppress(RuntimeError):  # without a loop the physical connection is gone as well
            task = asyncio.get_running_loop().create_task(self.close())
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def _noting(self, sql: str) -> PhysicalConnection:
        """The physical connection, told what kind of statement comes."""
        physical = self.physical()
        frame = self.open_transactions[-1].frame if self.open_transactions else None
        if frame is not None and not physical.is_open(frame):
            raise SandboxConflictError(
                "a session that was opened in an earlier test is still in use",
                remedy="close sessions in the test or fixture that opened them",
            )
        if not is_read(sql):
            physical.has_ddl |= _CHANGES_ROWS.match(sql) is None
            if frame is not None:
                frame.has_written = True
        return physical

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever asyncpg has
        return getattr(self.physical().connection, name)
