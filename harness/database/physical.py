"""The one connection behind all virtual ones: whose turn it is, and what was prepared on it.

Transactions of several owners share it one inside the other; those that cannot be nested wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from harness.capture.requests import ActiveRequest, current_request
from harness.database.savepoints import Frame, SavepointStack
from harness.errors import SandboxConflictError

__all__ = ["PhysicalConnection"]

_KEPT_STATEMENTS = 1000
# A session's advisory locks outlive its transactions, and this session outlives the test.
_END_OF_TEST = "ROLLBACK; SELECT pg_advisory_unlock_all()"


def _owner() -> str:
    request = current_request.get()
    if request is None:
        return "the test"
    return f"{request.scope['method']} {request.scope['path']}"


@dataclass(slots=True, eq=False)
class PhysicalConnection:
    """The one connection of a test's transactions on one event loop."""

    connection: Any
    """asyncpg's, which ships no types."""
    wait_seconds: float
    stack: SavepointStack | None = None
    """None between tests."""
    has_ddl: bool = False
    _has_raised: bool = False
    """Whether something raised since it was last known that the server's transaction is sound."""
    _turn: asyncio.Condition = field(default_factory=asyncio.Condition)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _statements: dict[str, Any] = field(default_factory=dict)
    _codecs: dict[tuple[str, str, str], object] = field(default_factory=dict)
    _requests: dict[Frame, ActiveRequest | None] = field(default_factory=dict)

    async def run(self, sql: str) -> None:
        """Run transaction control, to its end also where the caller is cancelled meanwhile."""
        await asyncio.shield(self.locked(self.connection.execute, sql))

    async def begin(self) -> Frame:
        """Begin a transaction of the application, once it is the caller's turn.

        Transactions nest inside those of the test and of the same request; others wait.

        Raises:
            SandboxConflictError: If the wait does not end, or the transaction around has failed.
        """
        request = current_request.get()
        async with self._turn:
            await self._await_turn(request)
            begin = ""
            if self.stack is None:
                begin = "BEGIN; "
                self.stack = SavepointStack()
            stack, around = self.stack, self.stack.top
            frame, sql = stack.begin(_owner())
            self._requests[frame] = request
            try:
                await self.run(begin + sql)
            except asyncio.CancelledError:
                await self.run(stack.rollback(frame))
                self._turn.notify_all()
                raise
            except asyncpg.InFailedSQLTransactionError as error:
                stack.frames.remove(frame)
                raise SandboxConflictError(
                    f"{frame.owner} began a transaction while that of "
                    f"{around.owner if around else 'the test'} had failed and was still open",
                    remedy="roll a session back after an error, before others go on",
                ) from error
            except BaseException:
                stack.frames.remove(frame)
                raise
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
        """Commit or roll back a transaction of the application.

        Raises:
            SandboxConflictError: If that cannot be represented; it counts as committed then.
        """
        if not self.is_open(frame):
            return  # its test is over, and with it everything it did
        async with self._turn:
            stack = self.stack
            if stack is None or not self.is_open(frame):
                return
            has_failed = frame is stack.top and await self._has_failed()
            try:
                # A server makes a rollback of COMMIT in a failed transaction, and says nothing.
                is_commit = is_commit and not has_failed
                await self._end(stack, frame, is_commit=is_commit, has_failed=has_failed)
            finally:
                self._turn.notify_all()

    async def _end(
        self, stack: SavepointStack, frame: Frame, *, is_commit: bool, has_failed: bool
    ) -> None:
        conflict = None
        try:
            sql = stack.commit(frame) if is_commit else stack.rollback(frame, has_failed=has_failed)
        except SandboxConflictError as error:
            conflict, sql = error, stack.give_up(frame, has_failed=has_failed)
        if sql:
            await self.run(sql)
        if conflict is not None:
            raise conflict

    async def _has_failed(self) -> bool:
        """Whether the server takes nothing but a rollback; asked only where something raised."""
        if not self._has_raised:
            return False
        try:
            await self.run("SELECT 1")
        except asyncpg.InFailedSQLTransactionError:
            return True
        self._has_raised = False
        return False

    def is_open(self, frame: Frame) -> bool:
        """Whether a transaction belongs to the current test and has not ended."""
        return self.stack is not None and frame in self.stack.frames

    async def end_test(self) -> None:
        """Undo everything that the test did."""
        if self.stack is None:
            return
        self.stack = None
        self._requests.clear()
        has_ddl, self.has_ddl = self.has_ddl, False
        if self.connection.is_closed():
            return  # the server has undone it
        await self.run(_END_OF_TEST)
        if has_ddl:
            await self.forget_statements()

    async def prepare(self, sql: str) -> Any:  # noqa: ANN401 - asyncpg's
        """A prepared statement, shared by all virtual connections: the cache stays warm."""
        known = self._statements.get(sql)
        if known is None:
            if len(self._statements) >= _KEPT_STATEMENTS:
                self._statements.clear()
            known = self._statements[sql] = await self.locked(self.connection.prepare, sql)
        return known

    async def forget_statements(self) -> None:
        """Types or tables have changed: prepare anew."""
        self._statements.clear()
        await self.locked(self.connection.reload_schema_state)

    async def locked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """Await a call of the driver while nobody else uses the connection."""
        async with self._lock:
            try:
                return await call(*arguments, **options)
            except BaseException:
                self._has_raised = True
                raise

    async def set_type_codec(self, typename: str, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Set a codec once: each new SQLAlchemy connection asks for the same ones."""
        key = (typename, options.get("schema", "public"), options.get("format", "text"))
        code = getattr(options.get("encoder"), "__code__", None)
        if self._codecs.get(key) is not code or code is None:
            self._codecs[key] = code
            await self.locked(self.connection.set_type_codec, typename, **options)
