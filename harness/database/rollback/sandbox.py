"""Isolation below everything: every engine of the database works inside a test's transaction.

A ``do_connect`` listener on the `Engine` class hands out virtual connections while a test runs, and
real ones otherwise: to engines made before and after, for sessions, Core, global session makers,
middleware and background tasks alike. The application is not changed, and no dependency is
overridden. Outside of tests (fixtures wider than a test, the lifespan) rows are written for real:
they are the base line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from harness.database.rollback.worlds import World, world_of
from harness.errors import EscapedConnectionError, SecondDriverError, UnsupportedDriverError
from harness.loops import Residents

__all__ = ["Sandbox"]

_ORIGIN = "harness_origin"
_bypassed: ContextVar[Sandbox | None] = ContextVar("bypassed", default=None)


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a pooled connection was made for; in any other place the pool must make a new one."""

    sandbox: Sandbox
    engine: str
    """Dialect, driver and mode, as in ``_engine_name``."""
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
    def one_test(self, *, is_guarded: bool = True) -> Iterator[None]:
        """Undo, at the end of the block, what happened to the database inside it.

        Args:
            is_guarded: Whether a connection to another PostgreSQL is refused. Otherwise that
                begins with the first connection to the database: before, nothing says that the
                test means to use this one.
        """
        self._is_active, self._is_guarded = True, is_guarded
        try:
            yield
        finally:
            try:
                outdated = [world.end_test() for world in self._worlds.values()]
                self._generation += any(outdated)
            finally:
                self._is_active = self._is_guarded = False
                self._engine_of_test = None
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

    def _wanted(self, engine: str, *, is_async: bool) -> _Origin:
        loop = asyncio.get_running_loop() if is_async else None
        if self._is_active and _bypassed.get() is not self:
            return _Origin(self, engine, is_virtual=True, generation=self._generation, loop=loop)
        return _Origin(self, engine, is_virtual=False, loop=loop)

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
        if not wanted.is_virtual:
            return None
        world = self._world_of(dialect)
        self._refuse_second_driver(wanted.engine)
        return world.connect(dialect, arguments, options)

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
        )
        if made is None:
            raise UnsupportedDriverError(
                f"a test connected to {self.url.database!r} through {dialect.driver}, which "
                "rollback isolation does not cover",
                remedy="use asyncpg, psycopg or psycopg2, or connect outside of tests (in a "
                "session-wide fixture)",
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
                remedy="use one of them in this test",
            )

    def _is_ours(self, options: MutableMapping[str, Any]) -> bool:
        database = options.get("database") or options.get("dbname")
        port = options.get("port")
        return database == self.url.database and (port is None or int(port) == self.url.port)

    def _refuse_escape(self, dialect: Dialect, options: MutableMapping[str, Any]) -> None:
        """A test that writes into another PostgreSQL would leave its rows there."""
        if dialect.name == "postgresql" and (self._is_guarded or _bypassed.get() is self):
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
        if origin != self._wanted(origin.engine, is_async=origin.loop is not None):
            raise DisconnectionError("the test that this connection belongs to is over")
        if origin.is_virtual:
            self._refuse_second_driver(origin.engine)


def _engine_name(dialect: Dialect) -> str:
    mode = ", async" if dialect.is_async else ""
    return f"{dialect.name}+{dialect.driver}{mode}"
