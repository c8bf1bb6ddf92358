"""Isolation below everything: every engine of the database works where the test's rows are.

A ``do_connect`` listener on the `Engine` class hands out, while a test runs, virtual connections
inside the test's transaction, or real ones to a database that the test has for itself: to engines
made before and after, for sessions, Core, global session makers, middleware and background tasks
alike. The application is not changed, and no dependency is overridden. Outside of tests (fixtures
wider than a test, the lifespan) rows are written for real: they are the base line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, Pool, PoolProxiedConnection
from sqlalchemy.util import await_only

from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.backends import process_ids
from harness.database.rollback.escapes import Escapes
from harness.database.rollback.lasting import LastingConnections
from harness.database.rollback.listening import Listener, Listeners
from harness.database.rollback.origins import Origin, note_origin, origin_of
from harness.database.rollback.own import OwnConnections, OwnDatabase
from harness.database.rollback.scopes import Scopes, TestBody
from harness.database.rollback.sqlite_target import SqliteTarget
from harness.database.rollback.target import PostgresTarget, Target
from harness.database.rollback.worlds import Worlds, engine_name
from harness.errors import SandboxConflictError
from harness.loops import Residents

__all__ = ["Sandbox"]

_bypassed: ContextVar[Sandbox | None] = ContextVar("bypassed", default=None)


@dataclass(slots=True, eq=False)
class Sandbox:
    """Rolls back whatever tests do to one database, or leads them to one of their own.

    Args:
        url: The database; connections to others are left alone.
        residents: Keeps physical connections for as long as their loop lives.
        wait_seconds: How long a transaction waits for its turn.
        escapes: Judges what leads out of the database.
    """

    url: URL
    residents: Residents
    wait_seconds: float = 5.0
    escapes: Escapes = field(default_factory=Escapes)
    real_uses: int = field(default=0, init=False)
    """How many times a connection to the database was taken that writes for real."""
    connects: int = field(default=0, init=False)
    """How many physical connections to it were opened."""
    _real: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """The pool entries of those that write for real."""
    _stale: WeakSet[ConnectionPoolEntry] = field(default_factory=WeakSet)
    """Those of them that are just being taken where a virtual one or another database is wanted."""
    _test: int = 0
    _snapshots: int = 0
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _is_active: bool = False
    _is_guarded: bool = False
    _generation: int = 0
    _target: Target = field(init=False)
    _worlds: Worlds = field(init=False)
    _lasting: LastingConnections = field(init=False)
    _listeners: Listeners = field(init=False)
    _own: OwnConnections = field(init=False)
    _scopes: Scopes = field(init=False)

    def __post_init__(self) -> None:
        is_file = self.url.get_backend_name() == "sqlite"
        self._target = SqliteTarget.of(self.url) if is_file else PostgresTarget(self.url)
        self._own = OwnConnections(self.residents, self._closers)
        self._scopes = Scopes(self.escapes.source)
        self._lasting = LastingConnections(self)
        self._listeners = Listeners(
            (
                Listener(Engine, "do_connect", self.connect),
                Listener(Pool, "checkout", self._on_checkout),
                Listener(Session, "after_begin", self._lasting.on_begin),
            )
        )
        self._worlds = Worlds(
            self._target.name,
            residents=self.residents,
            closers=self._closers,
            wait_seconds=self.wait_seconds,
            is_active=lambda: self._is_active,
            connecting=self._connecting,
            scopes=self._scopes,
        )

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch all connections of the process to the database."""
        with self._listeners.installed():
            try:
                yield
            finally:
                self._worlds.close()

    @contextmanager
    def one_test(
        self,
        *,
        is_guarded: bool = True,
        own: OwnDatabase | None = None,
        body: TestBody | None = None,
    ) -> Iterator[None]:
        """Undo, at the end of the block, what happened to the database inside it.

        Args:
            own: Where connections lead instead, if the test has a database for itself.
            is_guarded: Whether a connection to another PostgreSQL is refused. Otherwise that
                begins with the first connection to the database: before, nothing says that the
                test means to use this one.
            body: By what the test is known among the tasks and threads that it starts.
        """
        if own is None:
            self.escapes.watch.begin_test(self.connects)
        self._scopes.begin_test(body)
        self._is_active, self._is_guarded, self._own.database = True, is_guarded, own
        self._test += 1
        self._lasting.begin_test()
        try:
            yield
        finally:
            try:
                self._own.end_test()
                self._generation += self._worlds.end_test()
            finally:
                self._is_active = self._is_guarded = False
                self._own.database = None
                self._worlds.forget_driver()
                self._closers.clear()  # of sessions that never connected
                self._lasting.end_test()
            if own is None:
                self.escapes.end_test(self.connects, self._process_ids)
        self._listeners.require()

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts that were raised since this was last asked, caught or not."""
        return self._worlds.take_conflicts()

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

    @property
    def is_guarded(self) -> bool:
        """Whether the test that is running uses the database, or says that it will."""
        return self._is_guarded

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let in what connects past SQLAlchemy inside the block: it is part of the base line."""
        with self.escapes.watch.aside(lambda: self.connects):
            yield

    def step_aside(self) -> None:
        """Let in whatever connects past SQLAlchemy until a test begins; not inside of one."""
        if not self._is_active:
            self.escapes.watch.step_aside()

    def watch_again(self) -> None:
        """End what was begun in the middle of a test by `Watch.step_aside`."""
        if self._is_active and self._own.database is None:
            self.escapes.watch.begin_test(self.connects)

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        self.connects += 1
        with self.escapes.watch.let_in():
            yield

    def _process_ids(self) -> set[int]:
        return process_ids(self._real) | self._worlds.process_ids()

    def let_go(self) -> set[int]:
        """Use none of the present connections again: the server is about to end them.

        Returns:
            The server's process ids of those that nobody is using.
        """
        self._snapshots += 1
        self._generation += 1
        unused = [entry for entry in self._real if self._is_unused(entry)]
        return process_ids(unused) | self._worlds.let_go()

    def _is_unused(self, entry: ConnectionPoolEntry) -> bool:
        return not entry.in_use or entry in self._stale or self._lasting.waits(entry)

    def _wanted(self, engine: str, *, is_async: bool) -> Origin:
        loop = asyncio.get_running_loop() if is_async else None
        wanted = partial(Origin, self, engine, loop=loop)
        own = self._own.database
        if not self._is_active or _bypassed.get() is self:
            return wanted(self._target.name, is_virtual=False, generation=self._snapshots)
        if own is None:
            return wanted(self._target.name, is_virtual=True, generation=self._generation)
        if is_async:
            await_only(self._own.ready(own))
        return wanted(own.name(), is_virtual=False, generation=self._test)

    def connect(
        self,
        dialect: Dialect,
        entry: ConnectionPoolEntry,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
    ) -> DBAPIConnection | None:
        """What SQLAlchemy gets when an engine connects; None where it is to connect itself."""
        if not self._target.is_meant(dialect, arguments, options):
            self._refuse_escape(dialect, arguments, options)
            return None
        wanted = self._wanted(engine_name(dialect), is_async=dialect.is_async)
        if entry is not None:
            note_origin(entry, wanted)
            self._real.discard(entry)  # of what it had before
        if wanted.database != self._target.name:
            return self._connect_to_own(wanted, dialect, entry, arguments, options)
        if not wanted.is_virtual:
            self._note_real(entry)
            return self._connect_if_shut(dialect, arguments, options)
        world = self._worlds.of(dialect)
        self._refuse_second_driver(wanted.engine)
        return world.connect(dialect, arguments, options)

    def _connect_to_own(
        self,
        wanted: Origin,
        dialect: Dialect,
        entry: ConnectionPoolEntry | None,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
    ) -> DBAPIConnection:
        self._is_guarded = True
        if entry is not None:
            self._own.note(entry, wanted.loop)
        arguments, options = self._target.led(wanted.database, arguments, options)
        return dialect.connect(*arguments, **options)

    def _connect_if_shut(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> DBAPIConnection | None:
        """Otherwise SQLAlchemy connects, after the application's own listeners."""
        if not self.escapes.watch.is_shut:
            return None
        with self.escapes.watch.let_in():
            return dialect.connect(*arguments, **options)

    def _note_real(self, entry: ConnectionPoolEntry | None) -> None:
        self.connects += 1
        if entry is not None:
            self._real.add(entry)

    def _refuse_second_driver(self, engine: str) -> None:
        self._is_guarded = True
        self._worlds.refuse_second_driver(engine)

    def _refuse_escape(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> None:
        """A test that writes into another database would leave its rows there."""
        place = self._target.elsewhere(dialect, arguments, options)
        if place is not None and (self._is_guarded or _bypassed.get() is self):
            self.escapes.connected_elsewhere(place, database=self._target.name)

    def _on_checkout(
        self,
        connection: object,  # noqa: ARG002 - the event's signature
        entry: ConnectionPoolEntry,
        proxy: PoolProxiedConnection,
    ) -> None:
        """A pooled connection from elsewhere is thrown away, and the pool connects anew."""
        origin = origin_of(entry, self)
        if origin is None:
            return
        self._stale.add(entry)
        wanted = self._wanted(origin.engine, is_async=origin.loop is not None)
        self._stale.discard(entry)
        if origin != wanted:
            raise DisconnectionError("the test that this connection belongs to is over")
        self.note_use(entry)
        if _bypassed.get() is not self:  # the application's own, from its start to its end
            self._lasting.note(proxy, entry, is_wide=not self._is_active)

    def note_use(self, entry: ConnectionPoolEntry) -> None:
        """Somebody begins to use the connection of a pool."""
        origin = origin_of(entry, self)
        if origin is None:
            return
        if origin.is_virtual:
            self._refuse_second_driver(origin.engine)
        elif origin.database == self._target.name:
            self.real_uses += 1

    def is_at_home(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection that outlived a test is the one to go on with, transaction and all.

        One that holds rows of a fixture, which would be lost, is kept wherever it is.
        """
        origin = origin_of(entry, self)
        if origin is None or entry.dbapi_connection is None:
            return False
        wanted = self._wanted(origin.engine, is_async=origin.loop is not None)
        if origin.is_virtual or origin.loop is not wanted.loop:
            return False
        if origin == wanted:
            return True
        is_kept = origin.database == self._target.name and self._has_uncommitted(entry)
        if is_kept and self._is_active:
            advise(Topic.UNCOMMITTED_ROWS)
        return is_kept

    def _has_uncommitted(self, entry: ConnectionPoolEntry) -> bool:
        try:
            return self._target.has_uncommitted(entry)
        except Exception:  # noqa: BLE001 - of any driver: it is lost, or its transaction has failed
            return False
