"""The order of work and COMMIT, judged on records by hand: what is a fault and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.capture.fingerprint import fingerprint
from harness.capture.recording import (
    Cause,
    Recording,
    RequestRecord,
    RoundTrip,
    Transaction,
)
from harness.checks.order import order_faults

ANSWERED = 10.0


def request(*, answered: float | None = ANSWERED) -> RequestRecord:
    return RequestRecord(1, "POST", "/orders", "/orders", 200, 0.0, 30.0, None, answered)


def transaction(
    number: int = 1,
    *,
    began: float = 1,
    ended: float = 20,
    is_committed: bool = True,
    held: bool = True,
    of: int | None = 1,
) -> Transaction:
    return Transaction(number, of, began, ended, is_committed, held)


def trip(sql: str, *, at: float, of: int = 1, request: int | None = 1) -> RoundTrip:
    return RoundTrip(
        statement=int(at * 10),
        batch=0,
        database="shop",
        dialect="postgresql+asyncpg",
        fingerprint=fingerprint(sql, is_compiled=True),
        cause=Cause.CORE,
        started_seconds=at,
        seconds=0.001,
        has_failed=False,
        row_count=1,
        parameters_key=1,
        connection=1,
        request=request,
        transaction=of,
    )


def identities(
    transactions: Sequence[Transaction],
    trips: Sequence[RoundTrip],
    *,
    answered: float | None = ANSWERED,
) -> list[str]:
    recording = Recording(
        round_trips=tuple(trips),
        requests=(request(answered=answered),),
        transactions=tuple(transactions),
    )
    return [finding.identity for finding in order_faults(recording)]


LATE = "commit-after-response orders @ POST /orders"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders (note) VALUES (?)",
        'UPDATE "orders" SET note=?',
        "DELETE FROM ONLY orders WHERE id = ?",
        "WITH a AS (SELECT 1) INSERT INTO orders SELECT * FROM a",
    ],
)
def test_a_write_that_is_committed_after_the_answer_is_found(sql: str) -> None:
    assert identities([transaction()], [trip(sql, at=2)]) == [LATE]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM orders",
        "SELECT * FROM orders FOR UPDATE OF orders",
        "SELECT * FROM orders FOR NO KEY UPDATE OF orders",
    ],
)
def test_a_read_that_is_committed_after_the_answer_is_no_fault(sql: str) -> None:
    assert identities([transaction()], [trip(sql, at=2)]) == []


@pytest.mark.parametrize(
    "healthy",
    [
        pytest.param(transaction(ended=9), id="committed before"),
        pytest.param(transaction(is_committed=False), id="rolled back"),
        pytest.param(transaction(held=False), id="begun afterwards, for what came afterwards"),
        pytest.param(transaction(of=None), id="of no request"),
    ],
)
def test_other_ends_of_a_write_are_no_fault(healthy: Transaction) -> None:
    assert identities([healthy], [trip("INSERT INTO orders VALUES (?)", at=2)]) == []


def test_what_a_session_flushes_and_commits_after_the_answer_is_no_second_party() -> None:
    trips = [trip("INSERT INTO orders VALUES (?)", at=12)]

    assert identities([transaction(began=11)], trips) == [LATE]


def test_without_an_answer_nobody_was_told_anything() -> None:
    trips = [trip("INSERT INTO orders VALUES (?)", at=2)]

    assert identities([transaction()], trips, answered=None) == []


def test_an_upsert_writes_its_table_alone() -> None:
    sql = "INSERT INTO orders VALUES (?) ON CONFLICT DO UPDATE SET note = ?"

    assert identities([transaction()], [trip(sql, at=2)]) == [LATE]


def test_work_between_answer_and_commit_on_the_same_table_is_found() -> None:
    found = identities(
        [transaction(), transaction(2, began=11, ended=12, held=False)],
        [
            trip("INSERT INTO orders VALUES (?)", at=2),
            trip("SELECT * FROM users JOIN orders ON ?", at=11.5, of=2),
        ],
    )

    assert found == ["background-before-commit orders @ POST /orders", LATE]


@pytest.mark.parametrize(
    ("began", "sql"),
    [
        pytest.param(11, "SELECT * FROM users", id="another table"),
        pytest.param(21, "SELECT * FROM orders", id="after the commit"),
    ],
)
def test_other_work_after_the_answer_is_no_fault(began: float, sql: str) -> None:
    found = identities(
        [transaction(), transaction(2, began=began, ended=began + 1, held=False)],
        [trip("INSERT INTO orders VALUES (?)", at=2), trip(sql, at=began + 0.5, of=2)],
    )

    assert found == [LATE]


def test_a_second_session_that_reads_what_is_not_committed_is_found() -> None:
    found = identities(
        [transaction(ended=9), transaction(2, began=3, ended=5, held=False)],
        [
            trip("INSERT INTO orders VALUES (?)", at=2),
            trip("SELECT * FROM orders", at=4, of=2),
        ],
    )

    assert found == ["read-of-uncommitted-row orders @ POST /orders"]


@pytest.mark.parametrize(
    ("at", "ended", "sql"),
    [
        pytest.param(4, 3, "SELECT * FROM orders", id="after the commit"),
        pytest.param(1.5, 9, "SELECT * FROM orders", id="before the write"),
        pytest.param(4, 9, "SELECT * FROM users", id="another table"),
        pytest.param(4, 9, "INSERT INTO orders VALUES (?)", id="a write"),
    ],
)
def test_other_work_of_a_second_session_is_no_fault(at: float, ended: float, sql: str) -> None:
    found = identities(
        [transaction(ended=ended), transaction(2, began=1, ended=9.5, held=False)],
        [trip("INSERT INTO orders VALUES (?)", at=2), trip(sql, at=at, of=2)],
    )

    assert found == []


def test_rows_that_the_test_has_not_committed_are_its_own_affair() -> None:
    found = identities(
        [transaction(of=None), transaction(2, began=3, ended=5, held=False)],
        [
            trip("INSERT INTO orders VALUES (?)", at=2, request=None),
            trip("SELECT * FROM orders", at=4, of=2),
        ],
    )

    assert found == []
