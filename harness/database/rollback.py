"""Isolation below everything: every engine of the database works inside a test's transaction.

A ``do_connect`` listener on the `Engine` class hands out virtual connections while a test runs, and
real ones otherwise: to engines made before and after, for sessions, Core, global session makers,
middleware and background tasks alike. The application is not changed, and no dependency is
overridden. Outside of tests (fixtures wider than a test, the lifespan) rows are written for real:
they are the base line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from harness.database.physical import PhysicalConnection
from harness.database.virtual import VirtualConnection
from harness.errors import EscapedConnectionError, SandboxConflictError, UnsupportedDriverError
from harness.loops import Residents

__all__ = ["Sandbox"]

_ORIGIN = "harness_origin"
_bypassed: ContextVar[Sandbox | None] = ContextVar("bypassed", default=None)


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a pooled connection was made for; in any other place the pool must make a new one."""

    sandbox: Sandbox
    is_virtual: bool
    generation: int = 0
    """Ends with a change of the schema, which makes stale what the adapter has prepared, and with
    the loss of the physical connection."""
    loop: asyncio.AbstractEventLoop | None = None
    """None where the driver is not asynchronous."""


@dataclass(slots=True, eq=False)
class Sandbox:
    """Rolls back whatever tests do to one database.

    Args:
        url: The database; connections to others are left alone.
        residents: Keeps physical connections for as long as their loop lives.
        wait_seconds: How long a transaction waits for its turn.
    """

    url: URL
    residents: Residents
    wait_seconds: float = 5.0
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _is_active: bool = False
    _generation: int = 0
    _connecting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(
        default_factory=WeakKeyDictionary
    )
    _physical: WeakKeyDictionary[asyncio.AbstractEventLoop, PhysicalConnection] = field(
        default_factory=WeakKeyDictionary
    )

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch all connections of the process to the database."""
        event.listen(Engine, "do_connect", self._do_connect)
        event.listen(Pool, "checkout", self._on_checkout)
        try:
            yield
        finally:
            event.remove(Pool, "checkout", self._on_checkout)
            event.remove(Engine, "do_connect", self._do_connect)

    @contextmanager
    def one_test(self) -> Iterator[None]:
        """Undo, at the end of the block, what happened to the database inside it."""
        self._is_active = True
        try:
            yield
        finally:
            try:
                for loop, physical in list(self._physical.items()):
                    self._finish(loop, physical)
            finally:
                self._is_active = False
                self._closers.clear()  # of sessions that never connected

    def close_after_test(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await a session's `close` when the test has been rolled back."""
        self._closers.append(close)

    @contextmanager
    def bypassed(self) -> Iterator[None]:
        """Write for real inside the block, and in tasks that it starts."""
        token = _bypassed.set(self)
        try:
            yield
        finally:
            _bypassed.reset(token)

    def _wanted(self, *, is_async: bool) -> _Origin:
        loop = asyncio.get_running_loop() if is_async else None
        if self._is_active and _bypassed.get() is not self:
            return _Origin(self, is_virtual=True, generation=self._generation, loop=loop)
        return _Origin(self, is_virtual=False, loop=loop)

    def _do_connect(
        self,
        dialect: Dialect,
        entry: ConnectionPoolEntry,
        arguments: Sequence[Any],
        options: MutableMapping[str, Any],
    ) -> DBAPIConnection | None:
        if not self._is_ours(options):
            self._refuse_escape(dialect, options)
            return None
        wanted = self._wanted(is_async=dialect.is_async)
        if entry is not None:
            entry.info[_ORIGIN] = wanted
        if not wanted.is_virtual:
            return None
        if dialect.driver != "asyncpg":
            raise UnsupportedDriverError(
                f"a test connected to {self.url.database!r} through {dialect.driver}, which "
                "rollback isolation does not cover",
                remedy="use asyncpg, or connect outside of tests (in a session-wide fixture)",
            )
        return dialect.connect(*arguments, **{**options, "async_creator_fn": self._virtual})

    def _is_ours(self, options: MutableMapping[str, Any]) -> bool:
        database = options.get("database") or options.get("dbname")
        port = options.get("port")
        return database == self.url.database and (port is None or int(port) == self.url.port)

    def _refuse_escape(self, dialect: Dialect, options: MutableMapping[str, Any]) -> None:
        """A test that writes into another PostgreSQL would leave its rows there."""
        if dialect.name == "postgresql" and (self._is_active or _bypassed.get() is self):
            place = f"{options.get('database') or options.get('dbname')!r} on port"
            raise EscapedConnectionError(
                f"a test connected to the database {place} {options.get('port', 5432)}, not to "
                f"{self.url.database!r}, which is made for the tests",
                remedy="set the variable that the application reads its URL from in "
                "[tool.harness.env], and get the application from the fixture 'app': importing "
                "it at the top of a test module is too early",
            )

    def _on_checkout(self, connection: object, entry: ConnectionPoolEntry, proxy: object) -> None:  # noqa: ARG002
        """A pooled connection from elsewhere is thrown away, and the pool connects anew."""
        origin = entry.info.get(_ORIGIN)
        if origin is None or origin.sandbox is not self:
            return
        if origin != self._wanted(is_async=origin.loop is not None):
            raise DisconnectionError("the test that this connection belongs to is over")

    async def _virtual(self, *arguments: Any, **options: Any) -> VirtualConnection:  # noqa: ANN401 - asyncpg's
        loop = asyncio.get_running_loop()
        async with self._connecting.setdefault(loop, asyncio.Lock()):
            known = self._physical.get(loop)
            if known is None or known.connection.is_closed():
                self._refuse_second_loop()
                self._physical[loop] = await self.residents.enter(
                    self._connected(lambda: asyncpg.connect(*arguments, **options))
                )
        return VirtualConnection(self._current)

    def _refuse_second_loop(self) -> None:
        for loop, physical in self._physical.items():
            if not loop.is_closed() and physical.stack is not None:
                raise SandboxConflictError(
                    "a second event loop connected to the database in the same test: the two "
                    "would not see each other's rows",
                    remedy="use the async client in async tests, and a loop scope of 'session'",
                )

    def _current(self) -> PhysicalConnection:
        if not self._is_active:
            raise SandboxConflictError(
                "a session of a test is used after the test",
                remedy="close sessions in the test or fixture that opened them",
            )
        physical = self._physical.get(asyncio.get_running_loop())
        if physical is None:
            raise SandboxConflictError(
                "a session is used on another event loop than the one it was opened on",
                remedy="set asyncio_default_fixture_loop_scope and "
                'asyncio_default_test_loop_scope to "session"',
            )
        return physical

    @asynccontextmanager
    async def _connected(self, connect: Callable[[], Any]) -> AsyncIterator[PhysicalConnection]:
        loop = asyncio.get_running_loop()
        connection = await connect()
        physical = PhysicalConnection(connection, self.wait_seconds)
        try:
            yield physical
        finally:
            if self._physical.get(loop) is physical:
                del self._physical[loop]
                await self._undo(physical)
            connection.terminate()

    def _finish(self, loop: asyncio.AbstractEventLoop, physical: PhysicalConnection) -> None:
        if loop.is_closed():
            return  # undone as the loop ended
        if loop.is_running():
            asyncio.run_coroutine_threadsafe(self._undo(physical), loop).result(timeout=10)
        else:
            loop.run_until_complete(self._undo(physical))

    async def _undo(self, physical: PhysicalConnection) -> None:
        self._generation += physical.has_ddl or physical.connection.is_closed()
        await physical.end_test()
        while self._closers:
            await self._closers.pop()()
