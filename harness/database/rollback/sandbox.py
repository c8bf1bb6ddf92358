"""Isolation below everything: every engine of the database works where the test's rows are.

A ``do_connect`` listener on the `Engine` class hands out, while a test runs, virtual connections
inside the test's transaction, or real ones to a database that the test has for itself: to engines
made before and after, for sessions, Core, global session makers, middleware and background tasks
alike. The application is not changed, and no dependency is overridden. Outside of tests (fixtures
wider than a test, the lifespan) rows are written for real: they are the base line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakSet

from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, Pool
from sqlalchemy.util import await_only, greenlet_spawn

from harness.database.rollback.worlds import World, process_id, world_of
from harness.errors import (
    EscapedConnectionError,
    SandboxConflictError,
    SecondDriverError,
    UnsupportedDriverError,
)
from harness.loops import Residents

__all__ = ["OwnDatabase", "Sandbox"]

_ORIGIN = "harness_origin"
_bypassed: ContextVar[Sandbox | None] = ContextVar("bypassed", default=None)


class OwnDatabase(Protocol):
    """A database that one test has for itself."""

    @property
    def is_made(self) -> bool:
        """Whether somebody has asked for it."""
        ...

    def name(self) -> str:
        """What it is called; it is made when this is first asked, in whatever thread."""
        ...

    async def before_it_is_made(self) -> None:
        """Do what has to be in it: awaited where the first to ask can wait."""
        ...


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a pooled connection was made for; in any other place the pool must make a new one."""

    sandbox: Sandbox
    engine: str
    """Dialect, driver and mode, as in ``_engine_name``."""
    database: str
    is_virtual: bool
    generation: int
    """Of virtual ones: ends with a change of the schema, which makes stale what the adapter has
    prepared, and with the loss of the physical connection. Of real ones: ends when the server cuts
    them off, to copy the database or because the test is over that had it for itself."""
    loop: asyncio.AbstractEventLoop | None = None
    """None where the driver is not asynchronous."""


@dataclass(slots=True, eq=False)
class Sandbox:
    """Rolls back whatever tests do to one database, or leads them to one of their own.

    Args:
        url: The database; connections to others are left alone.
        residents: Keeps physical connections for as long as their loop lives.
        wait_seconds: How long a transaction waits for its turn.
    """

    url: URL
    residents: Residents
    wait_seconds: float = 5.0
    real_uses: int = field(default=0, init=False)
    """How many times a connection to the database was taken that writes for real."""
    connects: int = field(default=0, init=False)
    """How many physical connections to it were opened."""
    _real: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """The pool entries of those that write for real."""
    _stale: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """Those of them that are just being taken where a virtual one or another database is wanted."""
    _led: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """The pool entries of connections to the database that the test has for itself."""
    _own: OwnDatabase | None = None
    _test: int = 0
    _snapshots: int = 0
    _loops: WeakSet[asyncio.AbstractEventLoop] = field(default_factory=WeakSet)
    """That close what a test has opened before they end."""
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _is_active: bool = False
    _is_guarded: bool = False
    _generation: int = 0
    _worlds: dict[str, World] = field(default_factory=dict)
    _engine_of_test: str | None = None
    """Dialect, driver and mode of the connections that the current test has."""

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
            for world in self._worlds.values():
                world.close()

    @contextmanager
    def one_test(
        self, *, is_guarded: bool = True, own: OwnDatabase | None = None
    ) -> Iterator[None]:
        """Undo, at the end of the block, what happened to the database inside it.

        Args:
            own: Where connections lead instead, if the test has a database for itself.
            is_guarded: Whether a connection to another PostgreSQL is refused. Otherwise that
                begins with the first connection to the database: before, nothing says that the
                test means to use this one.
        """
        self._is_active, self._is_guarded, self._own = True, is_guarded, own
        self._test += 1
        try:
            yield
        finally:
            try:
                self._end_own()
                outdated = [world.end_test() for world in self._worlds.values()]
                self._generation += any(outdated)
            finally:
                self._is_active = self._is_guarded = False
                self._engine_of_test = self._own = None
                self._closers.clear()  # of sessions that never connected

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts that were raised since this was last asked, caught or not."""
        return [found for world in self._worlds.values() for found in world.take_conflicts()]

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

    def let_go(self) -> set[int]:
        """Use none of the present connections again: the server is about to end them.

        Returns:
            The server's process ids of those that nobody is using.
        """
        self._snapshots += 1
        self._generation += 1
        unused = [entry for entry in self._real if not entry.in_use or entry in self._stale]
        idle = [entry.driver_connection for entry in unused]
        pooled = {process_id(connection) for connection in idle if connection is not None}
        return pooled.union(*(world.let_go() for world in self._worlds.values()))

    def _wanted(self, engine: str, *, is_async: bool) -> _Origin:
        loop = asyncio.get_running_loop() if is_async else None
        name = self.url.database or ""
        if not self._is_active or _bypassed.get() is self:
            return _Origin(self, engine, name, False, self._snapshots, loop)  # noqa: FBT003 - is_virtual
        if self._own is None:
            return _Origin(self, engine, name, True, self._generation, loop)  # noqa: FBT003 - is_virtual
        if is_async:
            await_only(self._ready(self._own))
        return _Origin(self, engine, self._own.name(), False, self._test, loop)  # noqa: FBT003 - is_virtual

    async def _ready(self, own: OwnDatabase) -> None:
        """Whatever the test's database has to have; and what is open ends before its loop does."""
        if not own.is_made:
            await own.before_it_is_made()
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops.add(loop)
            await self.residents.enter(self._closing())

    @asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._own is not None:  # the loop ends within the test
                await self._close_own()

    def _end_own(self) -> None:
        """Close the sessions and the pooled connections of a test with a database of its own."""
        if self._own is None:
            return
        for loop in [loop for loop in self._loops if not loop.is_closed()]:
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(self._close_own(), loop).result(timeout=10)
            else:
                loop.run_until_complete(self._close_own())
        self._close_pooled(None)

    async def _close_own(self) -> None:
        while self._closers:
            await self._closers.pop()()
        await greenlet_spawn(self._close_pooled, asyncio.get_running_loop())

    def _close_pooled(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Their database is about to go; the pools connect anew when they are asked."""
        for entry in list(self._led):
            origin: _Origin | None = entry.info.get(_ORIGIN)
            if origin is not None and origin.loop is loop and not entry.in_use:
                entry.invalidate()
                self._led.discard(entry)

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
        wanted = self._wanted(_engine_name(dialect), is_async=dialect.is_async)
        if entry is not None:
            entry.info[_ORIGIN] = wanted
        if wanted.database != self.url.database:
            self._is_guarded = True
            if entry is not None:
                self._led.add(entry)
            # Over both of a driver's own ways to say it: the word wins over a connection string.
            return dialect.connect(*arguments, **{**options, _word(options): wanted.database})
        if not wanted.is_virtual:
            self._note_real(entry)
            return None
        world = self._world_of(dialect)
        self._refuse_second_driver(wanted.engine)
        return world.connect(dialect, arguments, options)

    def _note_real(self, entry: ConnectionPoolEntry | None) -> None:
        self.connects += 1
        if entry is not None:
            self._real.add(entry)

    def _note_link(self) -> None:
        self.connects += 1

    def _world_of(self, dialect: Dialect) -> World:
        known = self._worlds.get(_engine_name(dialect))
        if known is not None:
            return known
        made = world_of(
            dialect,
            residents=self.residents,
            closers=self._closers,
            wait_seconds=self.wait_seconds,
            is_active=lambda: self._is_active,
            opened=self._note_link,
        )
        if made is None:
            raise UnsupportedDriverError(
                f"a test connected to {self.url.database!r} through {dialect.driver}, which "
                "rollback isolation does not cover",
                remedy="use asyncpg, psycopg or psycopg2, or give the test a database of its own: "
                '@pytest.mark.database("clone")',
            )
        self._worlds[_engine_name(dialect)] = made
        return made

    def _refuse_second_driver(self, engine: str) -> None:
        """Two drivers are two connections, and neither sees what the other has not committed."""
        self._is_guarded = True
        if self._engine_of_test is None:
            self._engine_of_test = engine
        elif self._engine_of_test != engine:
            raise SecondDriverError(
                f"a test that works through {self._engine_of_test} connected to "
                f"{self.url.database!r} through {engine} as well: the two would not see each "
                "other's rows",
                remedy="use one of them in this test, or give it a database of its own: "
                '@pytest.mark.database("clone")',
            )

    def _is_ours(self, options: MutableMapping[str, Any]) -> bool:
        database = options.get("database") or options.get("dbname")
        port = options.get("port")
        return database == self.url.database and (port is None or int(port) == self.url.port)

    def _refuse_escape(self, dialect: Dialect, options: MutableMapping[str, Any]) -> None:
        """A test that writes into another PostgreSQL would leave its rows there."""
        if dialect.name == "postgresql" and (self._is_guarded or _bypassed.get() is self):
            database = options.get("database") or options.get("dbname")
            place = f"the database {database!r} on port {options.get('port', 5432)}"
            if not database:
                # In a `dsn` or a service, which only the driver reads.
                place = "a database that the engine's URL does not name"
            raise EscapedConnectionError(
                f"a test connected to {place}, not to {self.url.database!r}, which is made for "
                "the tests",
                remedy="set the variable that the application reads its URL from in "
                "[tool.harness.env], and get the application from the fixture 'app': importing "
                "it at the top of a test module is too early",
            )

    def _on_checkout(self, connection: object, entry: ConnectionPoolEntry, proxy: object) -> None:  # noqa: ARG002
        """A pooled connection from elsewhere is thrown away, and the pool connects anew."""
        origin = entry.info.get(_ORIGIN)
        if origin is None or origin.sandbox is not self:
            return
        self._stale.add(entry)
        wanted = self._wanted(origin.engine, is_async=origin.loop is not None)
        self._stale.discard(entry)
        if origin != wanted:
            raise DisconnectionError("the test that this connection belongs to is over")
        if origin.is_virtual:
            self._refuse_second_driver(origin.engine)
        elif origin.database == self.url.database:
            self.real_uses += 1


def _word(options: MutableMapping[str, Any]) -> str:
    """How a driver calls the database: psycopg and psycopg2 as libpq does, asyncpg not."""
    return "dbname" if "dbname" in options else "database"


def _engine_name(dialect: Dialect) -> str:
    mode = ", async" if dialect.is_async else ""
    return f"{dialect.name}+{dialect.driver}{mode}"
