"""When transactions began and ended, and which of them still had work to commit at the answer.

Beside `statements`, because order is a fact of its own: a client, a background task or a second
session may come before a COMMIT that everybody takes for done. Public events only, of engines and
of sessions. A session that was given objects but has not flushed them has no transaction yet; it is
asked at the moment of the answer what it holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from harness.capture.connections import KnownConnection
from harness.capture.guard import Guard
from harness.capture.recording import Transaction
from harness.capture.requests import ActiveRequest, active_request
from harness.capture.sockets import current_socket

__all__ = ["OpenTransaction", "TransactionListener", "TransactionObserver", "current_flush"]

# A flush runs in one thread and greenlet from its first event to its last; one that failed leaves
# its number behind until the next begins, and nothing that is no flush asks for it.
current_flush: ContextVar[int | None] = ContextVar("current_flush", default=None)


class TransactionObserver(Protocol):
    """Whoever wants to hear of transactions."""

    def on_transaction(self, transaction: Transaction) -> None:
        """Called at the end of every transaction."""


@dataclass(slots=True, eq=False)
class OpenTransaction:
    """A transaction that has not ended."""

    number: int
    request: ActiveRequest | None
    began_seconds: float
    is_autocommit: bool = False
    """Whether each of its statements is a transaction of its own."""
    session: int | None = None
    """Number of the session that works in it."""
    connection: KnownConnection | None = None
    """Known once a statement has run in it."""
    has_written: bool = False
    was_held_at_answer: bool = False


@dataclass(slots=True, eq=False)
class _OfRequest:
    """What one request has open."""

    transactions: set[OpenTransaction] = field(default_factory=set)
    sessions: WeakSet[Session] = field(default_factory=WeakSet)
    sessions_with_work: WeakSet[Session] = field(default_factory=WeakSet)
    """At the answer, and not flushed since."""


@dataclass(slots=True, eq=False)
class TransactionListener:
    """Reports the transactions of the process to one observer."""

    observer: TransactionObserver
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _requests: dict[int, _OfRequest] = field(default_factory=dict)
    _of_session: WeakKeyDictionary[Session, OpenTransaction] = field(
        default_factory=WeakKeyDictionary
    )
    attribute: str = field(init=False)
    """Under which SQLAlchemy's `Connection` has its transaction while we listen."""
    guard: Guard = field(default_factory=Guard)
    _flushes: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        # Several listeners may be at work, each with its own mark.
        self.attribute = f"_harness_transaction_{id(self)}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what ends inside the block."""
        listeners: list[tuple[type, str, Callable[..., None]]] = [
            (Engine, "begin", self._began),
            (Engine, "commit", self._committed),
            (Engine, "rollback", self._rolled_back),
            (Session, "after_begin", self._session_began),
            (Session, "transient_to_pending", self._session_given),
            (Session, "before_flush", self._flush_began),
            (Session, "after_flush", self._flush_ended),
        ]
        with ExitStack() as stack:
            for target, name, listener in listeners:
                guarded = self.guard.around(listener)
                event.listen(target, name, guarded)
                stack.callback(self.guard.unlisten, target, name, guarded)
            yield

    def _began(self, connection: Connection) -> None:
        socket = current_socket.get()
        if socket is not None:
            socket.begin_transaction()
        request = active_request()
        transaction = OpenTransaction(
            next(self._numbers),
            request,
            perf_counter(),
            # sqlite3 of Python 3.12 has an `autocommit` that is neither.
            is_autocommit=getattr(connection.connection, "autocommit", False) is True,
        )
        setattr(connection, self.attribute, transaction)
        if request is not None:
            self._of(request).transactions.add(transaction)

    def _committed(self, connection: Connection) -> None:
        self._ended(connection, is_committed=True)

    def _rolled_back(self, connection: Connection) -> None:
        self._ended(connection, is_committed=False)

    def _ended(self, connection: Connection, *, is_committed: bool) -> None:
        transaction = self._open(connection)
        if transaction is None:
            return
        setattr(connection, self.attribute, None)
        request = transaction.request
        if request is not None:
            self._of(request).transactions.discard(transaction)
        self.observer.on_transaction(
            Transaction(
                number=transaction.number,
                request=request.number if request is not None else None,
                began_seconds=transaction.began_seconds,
                ended_seconds=perf_counter(),
                is_committed=is_committed,
                was_held_at_answer=transaction.was_held_at_answer,
            )
        )

    def _session_began(self, session: Session, _transaction: Any, connection: Connection) -> None:  # noqa: ANN401 - not used
        transaction, request = self._open(connection), active_request()
        if transaction is None:
            return
        transaction.session = session.hash_key
        if request is None:
            return
        known = self._of(request)
        known.sessions.add(session)
        self._of_session[session] = transaction
        if session in known.sessions_with_work:
            known.sessions_with_work.discard(session)
            transaction.was_held_at_answer = True

    def _flush_began(self, _session: Session, _context: object, _instances: object) -> None:
        current_flush.set(next(self._flushes))

    def _flush_ended(self, _session: Session, _context: object) -> None:
        current_flush.set(None)

    def _session_given(self, session: Session, _instance: object) -> None:
        request = active_request()
        if request is not None:
            self._of(request).sessions.add(session)

    def _of(self, request: ActiveRequest) -> _OfRequest:
        known = self._requests.get(request.number)
        if known is None:
            known = self._requests[request.number] = _OfRequest()
            request.when_answered += (lambda: self._answered(known),)
        return known

    def _answered(self, known: _OfRequest) -> None:
        for transaction in known.transactions:
            transaction.was_held_at_answer = transaction.has_written
        for session in known.sessions:
            if not (session.new or session.dirty or session.deleted):
                continue
            begun = self._of_session.get(session)
            if begun in known.transactions and begun is not None:
                begun.was_held_at_answer = True
            else:
                known.sessions_with_work.add(session)

    def _open(self, connection: Connection) -> OpenTransaction | None:
        found: OpenTransaction | None = getattr(connection, self.attribute, None)
        return found
