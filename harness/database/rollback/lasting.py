"""Sessions that are wider than a test: what their connections are led to in each test.

A fixture of a module or of the whole run keeps a session, and with it a connection that is out of
its pool while tests begin and end, so that `sandbox` never sees it leave again. As long as nobody
uses it, nothing happens. Its first use in another place (the next test, a fixture between tests)
gives it a new connection there, as if the server had begun a new transaction for it. What a fixture
has committed is the base line; what it wrote and did not commit keeps its connection where it is.
Sessions that a test has opened are left alone: used after it, they are refused.
A session's objects are its owner's affair: it is advised on once.

Which session is older than a test is told by `Session.hash_key`, a number that rises; and a pool's
entry is connected anew by its `invalidate` and its `get_connection`, as the pool itself does after
a `DisconnectionError`: neither is documented, and both are used here only.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from harness.database.rollback.advice import Topic, advise

__all__ = ["LastingConnections"]


class Places(Protocol):
    """Where connections have to be, as the sandbox knows."""

    def is_at_home(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection that outlived a test is the one to go on with."""
        ...

    def note_use(self, entry: ConnectionPoolEntry) -> None:
        """Somebody begins to use the connection of a pool."""
        ...


@dataclass(slots=True, eq=False)
class _Lent:
    """A connection that is out of its pool."""

    entry: ConnectionPoolEntry
    is_wide: bool
    """Whether it belongs to what is wider than a test."""
    session: ReferenceType[Session] | None = None
    """Whose it is; None where SQLAlchemy's Core is used without one."""

    @property
    def has_objects(self) -> bool:
        """Whether somebody keeps objects that the session has loaded, or may have."""
        session = self.session() if self.session is not None else None
        return session is not None and len(session.identity_map) > 0


@dataclass(slots=True, eq=False)
class LastingConnections:
    """The connections that are out of their pools.

    Args:
        places: Knows where they have to be.
    """

    places: Places
    is_in_test: bool = field(default=False, init=False)
    _lent: WeakKeyDictionary[PoolProxiedConnection, _Lent] = field(
        default_factory=WeakKeyDictionary
    )
    _noting: threading.RLock = field(default_factory=threading.RLock)
    _youngest: int = 0
    """Of the sessions that are older than the running test."""

    def note(
        self, proxy: PoolProxiedConnection, entry: ConnectionPoolEntry, *, is_wide: bool
    ) -> None:
        """A connection has left its pool."""
        with self._noting:
            self._lent[proxy] = _Lent(entry, is_wide)

    def on_begin(
        self,
        session: Session,
        transaction: SessionTransaction,  # noqa: ARG002 - the event's signature
        connection: Connection,
    ) -> None:
        """A session has taken one out, perhaps one that is older than the test."""
        lent = self._lent.get(connection.connection)
        if lent is not None:
            lent.session = ref(session)
            lent.is_wide |= self.is_in_test and session.hash_key <= self._youngest

    def begin_test(self) -> None:
        """Whoever works on outside of tests is now inside one."""
        self._youngest, self.is_in_test = Session().hash_key, True
        self._leave(was_in_test=False)

    def end_test(self) -> None:
        """Whoever works on inside a test is now outside."""
        self.is_in_test = False
        self._leave(was_in_test=True)

    def waits(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection is replaced as soon as it is used."""
        return any(
            lent.entry is entry and isinstance(proxy.dbapi_connection, _Awaiting)
            for proxy, lent in self._all()
        )

    def led_on(self, lent: _Lent, *, was_in_test: bool) -> DBAPIConnection | None:
        """The connection to go on with where it is used now."""
        entry = lent.entry
        if not self.places.is_at_home(entry):
            if was_in_test and self.is_in_test and lent.has_objects:
                advise(Topic.LASTING_SESSION)
            _connect_anew(entry)
        self.places.note_use(entry)
        return entry.dbapi_connection

    def _leave(self, *, was_in_test: bool) -> None:
        for proxy, lent in self._all():
            here = proxy.dbapi_connection
            # A proxy whose connection is back in its pool, or lost, has none.
            if lent.is_wide and here is not None and here is lent.entry.dbapi_connection:
                _put(proxy, _Awaiting(self, ref(proxy), lent, was_in_test))

    def _all(self) -> list[tuple[PoolProxiedConnection, _Lent]]:
        with self._noting:
            return [*self._lent.items()]


class _Awaiting:
    """In the place of a connection whose test has ended, or has begun: its first use leads it on.

    The proxy is what owns it; a strong reference would keep a forgotten one out of its pool.
    """

    __slots__ = ("_lasting", "_lent", "_proxy", "_was_in_test")

    def __init__(
        self,
        lasting: LastingConnections,
        proxy: ReferenceType[PoolProxiedConnection],
        lent: _Lent,
        was_in_test: bool,  # noqa: FBT001 - all by position, as in `__slots__`
    ) -> None:
        for name, value in zip(
            ("_lasting", "_proxy", "_lent", "_was_in_test"),
            (lasting, proxy, lent, was_in_test),
            strict=True,
        ):
            object.__setattr__(self, name, value)

    def commit(self) -> None:
        """COMMIT, where a transaction goes on."""
        self._end("commit")

    def rollback(self) -> None:
        """ROLLBACK, where a transaction goes on."""
        self._end("rollback")

    def _end(self, how: str) -> None:
        if self._lasting.places.is_at_home(self._lent.entry):
            getattr(self._led_on(), how)()
        else:
            self._lent.entry.invalidate()  # its transaction was another test's, or none

    def __getattr__(self, name: str) -> Any:
        return getattr(self._led_on(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._led_on(), name, value)

    def _led_on(self) -> Any:
        proxy: Any = self._proxy()
        if proxy.dbapi_connection is self:
            _put(proxy, self._lasting.led_on(self._lent, was_in_test=self._was_in_test))
        return proxy.dbapi_connection


def _put(proxy: Any, connection: object) -> None:
    """In a pool's proxy, where the pool itself puts a connection."""
    proxy.dbapi_connection = connection


def _connect_anew(entry: Any) -> None:
    """What the pool does after a `DisconnectionError`; that a session works in autocommit stays."""
    is_autocommit = getattr(entry.dbapi_connection, "autocommit", None) is True
    entry.invalidate()
    made = entry.get_connection()
    if is_autocommit:
        made.autocommit = True
