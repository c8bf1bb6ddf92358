"""What is read from the text of a statement, and what must not be read into it."""

from __future__ import annotations

import pytest

from harness.database.rollback.meaning import Meaning, Meanings


def settings(sql: str, parameters: object = None) -> list[str | None]:
    return [mention.resolved(parameters) for mention in Meaning.of(sql).settings]


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SET LOCAL app.tenant = 'a'", None, ["app.tenant"]),
        ("set local search_path to x; SET LOCAL role y", None, ["search_path", "role"]),
        ("SET LOCAL \"App\".tenant TO 'a'", None, ["app.tenant"]),
        ("SET LOCAL TIME ZONE 'UTC'", None, ["timezone"]),
        ("SET LOCAL SESSION AUTHORIZATION x", None, ["session_authorization"]),
        ("SELECT set_config('app.tenant', 'a, b', true)", None, ["app.tenant"]),
        ("SELECT pg_catalog.set_config('a.b', coalesce($1, ''), TRUE)", ("x",), ["a.b"]),
        ("SELECT set_config($2, $1, $3)", ("a", "app.tenant", True), ["app.tenant"]),
        ("SELECT set_config(CAST($1 AS text), $2::text, true)", ("a.b", "x"), ["a.b"]),
        ("SELECT %s, set_config(%s, %s, true)", (1, "a.b", "x"), ["a.b"]),
        (
            "SELECT set_config(%(name)s::VARCHAR, %(value)s, %(here)s)",
            {"name": "a.b", "value": "x", "here": True},
            ["a.b"],
        ),
        ("SELECT set_config('a.b', $1, true), set_config('a.c', $2, true)", (), ["a.b", "a.c"]),
    ],
)
def test_what_is_set_until_the_end_of_the_transaction_is_known(
    sql: str, parameters: object, expected: list[str]
) -> None:
    assert settings(sql, parameters) == expected


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SET app.tenant = 'a'", None),
        ("SELECT set_config('a.b', 'x', false)", None),
        ("SELECT set_config('a.b', $1, $2)", ("x", False)),
        ("SELECT 'SET LOCAL a.b = 1'", None),
        ("SELECT set_config($1, $2, true)", ("no name; DROP TABLE", "x")),
        ("SELECT set_config($1, $2, true)", None),
        ("SET LOCAL TRANSACTION READ ONLY", None),
        ("UPDATE t SET local = 1", None),
    ],
)
def test_what_is_set_for_longer_or_not_at_all_is_left_alone(sql: str, parameters: object) -> None:
    assert [name for name in settings(sql, parameters) if name is not None] == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("VACUUM (ANALYZE) notes", "VACUUM"),
        (
            "/* now */ create  unique index concurrently i ON t (c)",
            "CREATE UNIQUE INDEX CONCURRENTLY",
        ),
        ("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY"),
        ("CREATE DATABASE other", "CREATE DATABASE"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM"),
        ("CREATE INDEX i ON t (c)", ""),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", ""),
        ("INSERT INTO t VALUES ('VACUUM')", ""),
        ("CREATE INDEX i ON t (c) WHERE c <> 'concurrently'", ""),
    ],
)
def test_what_the_server_takes_outside_of_transactions_only_is_named(
    sql: str, expected: str
) -> None:
    assert Meaning.of(sql).not_in_a_block == expected


def test_a_level_that_cannot_be_had_is_replaced_and_the_rest_of_the_statement_kept() -> None:
    sql = "SET TRANSACTION ISOLATION LEVEL repeatable read, READ ONLY"

    replaced = Meaning.of(sql).instead

    assert replaced == "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SAVEPOINT one", True),
        ("-- back\nROLLBACK TO SAVEPOINT one", True),
        ("RELEASE SAVEPOINT one", True),
        ("SET TRANSACTION READ ONLY", True),
        ("SET LOCAL app.tenant = 'a'", False),
        ("SELECT 'savepoint'", False),
    ],
)
def test_what_is_about_transactions_themselves_is_known(sql: str, *, expected: bool) -> None:
    assert Meaning.of(sql).is_control is expected


def test_a_text_is_read_once() -> None:
    meanings = Meanings()

    assert meanings.of("SELECT 1") is meanings.of("SELECT 1")
