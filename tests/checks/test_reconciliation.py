"""Two counts of one block, by hand: who ran what, and that the numbers add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.fingerprint import fingerprint
from harness.capture.recording import Cause, Checkout, Recording, RoundTrip, Tally, Transaction
from harness.capture.server_shapes import server_shape
from harness.capture.server_tally import ServerShape, ServerTally
from harness.checks.reconciliation import Reconciliation, reconciled
from harness.checks.server_origins import Origin
from harness.findings import Verdict

USERS = "SELECT users.id FROM users WHERE users.id = $1::INTEGER"
RENAMING = "UPDATE users SET name=$1::VARCHAR WHERE users.id = $2::INTEGER"
INSERT = "INSERT INTO users (name) VALUES ($1::VARCHAR)"


def trip(
    sql: str = USERS,
    *,
    driver: str = "asyncpg",
    database: str = "shop",
    transaction: int | None = 1,
    parameter_sets: int = 1,
    has_failed: bool = False,
    is_streamed: bool = False,
) -> RoundTrip:
    return RoundTrip(
        statement=1,
        batch=0,
        database=database,
        dialect=f"postgresql+{driver}",
        fingerprint=fingerprint(sql, is_compiled=True),
        cause=Cause.CORE,
        started_seconds=0.0,
        seconds=0.001,
        has_failed=has_failed,
        row_count=1,
        parameters_key=1,
        connection=1,
        transaction=transaction,
        parameter_sets=parameter_sets,
        is_streamed=is_streamed,
    )


def recorded(*trips: RoundTrip, pooled: int = 0) -> Recording:
    checkouts = (Checkout("shop", 0.0, 0.0, 0.1, None),) * pooled
    return Recording(round_trips=trips, checkouts=checkouts)


def ran(**calls: int) -> ServerTally:
    texts = {"users": USERS, "renaming": RENAMING, "insert": INSERT, "one": "SELECT $1"}
    return server(**{texts.get(name, name): number for name, number in calls.items()})


def server(**calls: int) -> ServerTally:
    shapes = (ServerShape(server_shape(sql), number, 0, 0.001) for sql, number in calls.items())
    return ServerTally("shop", Verdict.PASS, shapes=tuple(shapes))


def shares(found: Reconciliation) -> dict[Origin, dict[str, int]]:
    return {share.origin: dict(share.statements) for share in found.shares}


def test_equal_counts_leave_nothing_to_tell() -> None:
    found = reconciled(recorded(trip(), trip()), ran(users=2))

    assert (found.seen, found.ran, found.shares, found.uncounted) == (2, 2, (), 0)


def test_sets_of_parameters_explain_further_calls() -> None:
    found = reconciled(recorded(trip(RENAMING, parameter_sets=3)), ran(renaming=3))

    assert shares(found) == {Origin.EXECUTEMANY: {server_shape(RENAMING).text: 2}}


def test_a_batch_that_went_at_once_is_no_executemany() -> None:
    found = reconciled(recorded(trip(INSERT, parameter_sets=3)), ran(insert=1))

    assert found.shares == ()


def test_more_calls_than_sets_of_parameters_are_somebody_elses() -> None:
    found = reconciled(recorded(trip(RENAMING, parameter_sets=3)), ran(renaming=5))

    text = server_shape(RENAMING).text
    assert shares(found) == {Origin.EXECUTEMANY: {text: 2}, Origin.OTHERS: {text: 2}}


def test_a_statement_of_another_client_is_told_with_its_text() -> None:
    found = reconciled(recorded(trip()), server(**{USERS: 1, "VACUUM users": 2}))

    assert shares(found) == {Origin.OTHERS: {"VACUUM users": 2}}


@pytest.mark.parametrize(
    ("sql", "origin"),
    [
        ("select pg_catalog.version()", Origin.DIALECT),
        ("show transaction isolation level", Origin.DIALECT),
        ("WITH RECURSIVE typeinfo_tree(\n    oid, ns) AS (SELECT $1)", Origin.DRIVER),
        ("SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON true", Origin.DRIVER),
        ("SELECT\n    typname AS name, oid, typarray FROM pg_type t", Origin.DRIVER),
        ('FETCH FORWARD 100 FROM "c_1"', Origin.CURSORS),
        ('SELECT $2 FROM ONLY "a" x WHERE "id" = $1 FOR KEY SHARE OF x', Origin.SERVER),
        ("ROLLBACK PREPARED 'x'", Origin.TRANSACTIONS),
        ("START TRANSACTION", Origin.TRANSACTIONS),
        ("SELECT typname FROM my_types", Origin.OTHERS),
        ("SELECT ending FROM t", Origin.OTHERS),
    ],
)
def test_who_runs_a_statement_is_told_by_its_text(sql: str, origin: Origin) -> None:
    assert set(shares(reconciled(recorded(), server(**{sql: 1})))) == {origin}


def test_savepoints_count_as_one_whatever_their_names() -> None:
    found = reconciled(recorded(trip()), server(**{USERS: 1, "SAVEPOINT a": 1, "SAVEPOINT b": 2}))

    assert shares(found) == {Origin.TRANSACTIONS: {"SAVEPOINT": 3}}


def test_empty_transactions_on_asyncpg_are_pings() -> None:
    found = reconciled(
        recorded(trip(), trip(transaction=2), pooled=2), ran(users=2, BEGIN=4, COMMIT=1, ROLLBACK=3)
    )

    assert shares(found) == {
        Origin.PRE_PING: {"BEGIN": 2, "ROLLBACK": 2},
        Origin.TRANSACTIONS: {"BEGIN": 2, "COMMIT": 1, "ROLLBACK": 1},
    }


def test_there_are_no_more_pings_than_pooled_checkouts_allow() -> None:
    found = reconciled(recorded(trip(), pooled=1), ran(users=1, BEGIN=9, ROLLBACK=9))

    assert shares(found)[Origin.PRE_PING] == {"BEGIN": 2, "ROLLBACK": 2}  # one may still be out


def test_a_transaction_without_a_statement_is_no_ping() -> None:
    recording = replace(
        recorded(trip(), pooled=5),
        transactions=tuple(Transaction(n, None, 0, 1, is_committed=n == 1) for n in (1, 2)),
    )

    found = reconciled(recording, ran(users=1, BEGIN=2, COMMIT=1, ROLLBACK=1))

    assert Origin.PRE_PING not in shares(found)


def test_the_transaction_of_a_first_connection_is_no_ping() -> None:
    tally = server(**{USERS: 1, "BEGIN": 2, "ROLLBACK": 2, "select pg_catalog.version()": 1})

    found = reconciled(recorded(trip(), pooled=5), tally)

    assert Origin.PRE_PING not in shares(found)


def test_select_1_is_a_ping_on_psycopg2() -> None:
    found = reconciled(recorded(trip(driver="psycopg2"), pooled=3), ran(users=1, one=3))

    assert shares(found) == {Origin.PRE_PING: {"SELECT ?": 3}}


def test_select_1_is_somebody_elses_on_other_drivers() -> None:
    found = reconciled(recorded(trip(driver="psycopg"), pooled=3), ran(users=1, one=3))

    assert shares(found) == {Origin.OTHERS: {"SELECT ?": 3}}


def test_round_trips_to_other_databases_are_left_out() -> None:
    found = reconciled(recorded(trip(), trip(database="other", transaction=2)), ran(users=1))

    assert (found.seen, found.ran, found.uncounted) == (1, 1, 0)


def test_a_statement_that_failed_is_not_expected_on_the_server() -> None:
    found = reconciled(recorded(trip(), trip(has_failed=True)), ran(users=1))

    assert (found.uncounted, found.failed, found.lost) == (1, 1, 0)


def test_a_stream_that_the_server_did_not_count_is_explained() -> None:
    found = reconciled(recorded(trip(is_streamed=True)), ran())

    assert (found.uncounted, found.failed, found.lost) == (1, 0, 0)


def test_a_stream_that_failed_explains_no_second_one() -> None:
    found = reconciled(recorded(trip(), trip(has_failed=True, is_streamed=True)), ran())

    assert (found.uncounted, found.failed, found.lost) == (2, 1, 1)


def test_a_statement_with_another_text_on_the_server_is_lost_and_somebody_elses() -> None:
    found = reconciled(recorded(trip()), server(**{"SELECT users.id FROM tenant.users": 1}))

    assert found.lost == 1
    assert shares(found) == {Origin.OTHERS: {"SELECT users.id FROM tenant.users": 1}}


def test_the_numbers_add_up_whatever_ran() -> None:
    found = reconciled(
        recorded(trip(), trip(has_failed=True), trip(RENAMING, parameter_sets=3), pooled=2),
        ran(users=1, renaming=7, one=3, BEGIN=4, COMMIT=1, ROLLBACK=3),
    )

    extra = sum(share.calls for share in found.shares)
    assert found.seen - found.uncounted + extra == found.ran


def test_skipped_counts_are_skipped_with_their_reason() -> None:
    found = reconciled(recorded(trip()), ServerTally("shop", Verdict.SKIPPED, "not loaded"))

    assert (found.verdict, found.reason, found.ran) == (Verdict.SKIPPED, "not loaded", 0)


def test_lost_counts_stay_inconclusive() -> None:
    found = reconciled(
        recorded(trip()), replace(ran(users=1), verdict=Verdict.INCONCLUSIVE, reason="reset")
    )

    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "reset")


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (replace(recorded(), failure="ValueError in note"), "the recorder failed: ValueError"),
        (replace(recorded(), tallies=(Tally(None, 4, 4),)), "4 round trips were counted, but not"),
    ],
    ids=["failed", "cut short"],
)
def test_a_recording_that_is_not_whole_is_inconclusive(recording: Recording, reason: str) -> None:
    found = reconciled(recording, ran(users=4))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert reason in found.reason
