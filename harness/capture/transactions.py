"""When transactions began and ended, and which of them still had work to commit at the answer.

Beside `statements`, because order is a fact of its own: a client, a background task or a second
session may come before a COMMIT that everybody takes for done. Public events only, of engines and
of sessions. A session that was given objects but has not flushed them has no transaction yet; it is
asked at the moment of the answer what it holds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from harness.capture.recording import Transaction
from harness.capture.requests import ActiveRequest, current_request

__all__ = ["TransactionListener", "TransactionObserver"]

_WRITE = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_WRITE_INSIDE = re.compile(
    r"\s*WITH\b.*\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b(?<!FOR UPDATE)",
    re.IGNORECASE | re.DOTALL,
)


class TransactionObserver(Protocol):
    """Whoever wants to hear of transactions."""

    def on_transaction(self, transaction: Transaction) -> None:
        """Called at the end of every transaction."""


@dataclass(slots=True, eq=False)
class _Open:
    """A transaction that has not ended."""

    number: int
    request: ActiveRequest | None
    began_seconds: float
    has_written: bool = False
    was_held_at_answer: bool = False


@dataclass(slots=True, eq=False)
class _OfRequest:
    """What one request has open."""

    transactions: set[_Open] = field(default_factory=set)
    sessions: WeakSet[Session] = field(default_factory=WeakSet)
    sessions_with_work: WeakSet[Session] = field(default_factory=WeakSet)
    """At the answer, and not flushed since."""


@dataclass(slots=True, eq=False)
class TransactionListener:
    """Reports the transactions of the process to one observer."""

    observer: TransactionObserver
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _requests: dict[int, _OfRequest] = field(default_factory=dict)
    _of_session: WeakKeyDictionary[Session, _Open] = field(default_factory=WeakKeyDictionary)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Report what ends inside the block."""
        listeners: list[tuple[type, str, Callable[..., None]]] = [
            (Engine, "begin", self._began),
            (Engine, "commit", self._committed),
            (Engine, "rollback", self._rolled_back),
            (Session, "after_begin", self._session_began),
            (Session, "transient_to_pending", self._session_given),
        ]
        with ExitStack() as stack:
            for target, name, listener in listeners:
                event.listen(target, name, listener)
                stack.callback(event.remove, target, name, listener)
            yield

    def statement(self, connection: Connection, sql: str) -> int | None:
        """Take note of a statement.

        Returns:
            The number of the transaction that it is part of; None where each statement is one.
        """
        transaction = self._open(connection)
        if transaction is None or getattr(connection.connection, "autocommit", False):
            return None
        if _WRITE.match(sql) or _WRITE_INSIDE.match(sql):
            transaction.has_written = True
        return transaction.number

    def _began(self, connection: Connection) -> None:
        request = current_request.get()
        transaction = _Open(next(self._numbers), request, perf_counter())
        connection.info[self] = transaction
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
        del connection.info[self]
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
        transaction, request = self._open(connection), current_request.get()
        if transaction is None or request is None:
            return
        known = self._of(request)
        known.sessions.add(session)
        self._of_session[session] = transaction
        if session in known.sessions_with_work:
            known.sessions_with_work.discard(session)
            transaction.was_held_at_answer = True

    def _session_given(self, session: Session, _instance: object) -> None:
        request = current_request.get()
        if request is not None:
            self._of(request).sessions.add(session)

    def _of(self, request: ActiveRequest) -> _OfRequest:
        known = self._requests.get(request.number)
        if known is None:
            known = self._requests[request.number] = _OfRequest()
            request.when_answered.append(lambda: self._answered(known))
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

    def _open(self, connection: Connection) -> _Open | None:
        if connection.closed or connection.invalidated:
            return None  # asking it for anything would connect anew, or raise
        found: _Open | None = connection.info.get(self)
        return found
