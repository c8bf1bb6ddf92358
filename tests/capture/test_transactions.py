"""Transactions as they end: whose they were, and what they held when the answer was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from harness.capture.recording import Transaction
from harness.capture.requests import ActiveRequest, current_request
from harness.capture.tracking import RequestTracker
from harness.capture.transactions import TransactionListener


class Base(DeclarativeBase): ...


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Log(list[Transaction]):
    """Keeps what it is told."""

    def on_transaction(self, transaction: Transaction) -> None:
        self.append(transaction)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Note(text="there before"))
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    with TransactionListener(log).listening():
        yield log


@contextmanager
def request() -> Iterator[ActiveRequest]:
    scope = {"type": "http", "method": "POST", "path": "/notes"}
    active = RequestTracker().begin(scope)
    token = current_request.set(active)
    yield active
    current_request.reset(token)


def test_a_commit_and_a_rollback_are_told_apart_in_their_order(engine: Engine, log: Log) -> None:
    with Session(engine) as session:
        session.execute(text("SELECT 1"))
        session.commit()
        session.execute(text("SELECT 1"))
        session.rollback()

    assert [item.is_committed for item in log] == [True, False]
    assert log[0].began_seconds < log[0].ended_seconds < log[1].began_seconds


def test_a_transaction_belongs_to_the_request_that_began_it(engine: Engine, log: Log) -> None:
    with request() as active, engine.begin():
        pass
    with engine.begin():
        pass

    assert [item.request for item in log] == [active.number, None]


def added(session: Session) -> None:
    session.add(Note(text="added"))


def changed(session: Session) -> None:
    session.query(Note).one().text = "changed"


def deleted(session: Session) -> None:
    session.delete(session.query(Note).one())


def read(session: Session) -> None:
    session.query(Note).all()


@pytest.mark.parametrize(
    ("work", "is_held"),
    [(added, True), (changed, True), (deleted, True), (read, False)],
)
def test_a_session_is_asked_at_the_answer_what_it_has_not_flushed(
    engine: Engine, log: Log, work: object, *, is_held: bool
) -> None:
    assert callable(work)
    with request() as active, Session(engine) as session:
        work(session)
        active.answer()
        session.commit()

    assert [item.was_held_at_answer for item in log] == [is_held]


def test_what_a_session_does_after_the_commit_of_what_it_held_is_its_next_affair(
    engine: Engine, log: Log
) -> None:
    with request() as active, Session(engine) as session:
        session.add(Note(text="held"))
        active.answer()
        session.commit()
        session.add(Note(text="of a background task"))
        session.commit()

    assert [item.was_held_at_answer for item in log] == [True, False]


def test_a_session_of_a_background_task_held_nothing(engine: Engine, log: Log) -> None:
    with request() as active:
        active.answer()
        with Session(engine) as session:
            session.add(Note(text="of a background task"))
            session.commit()

    assert [item.was_held_at_answer for item in log] == [False]


def test_nothing_is_told_after_the_block(engine: Engine) -> None:
    log = Log()
    with TransactionListener(log).listening():
        pass
    with engine.begin():
        pass

    assert log == []


def test_a_connection_that_is_lost_in_its_transaction_raises_nothing_of_ours(
    engine: Engine, log: Log
) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.invalidate()
        connection.rollback()

        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert [item.is_committed for item in log] == [False, False]
