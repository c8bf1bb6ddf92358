"""The exception behind a 500, from the log of what is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.raised import last_raised, log_bytes

REFUSED = """\
INFO:     127.0.0.1:1 - "GET /one HTTP/1.1" 500 Internal Server Error
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "shop.py", line 3, in one
    await connect()
OSError: no route

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "orm.py", line 9, in connect
    raise
sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection refused
[SQL: SELECT 'secret']
INFO:     127.0.0.1:1 - "GET /two HTTP/1.1" 200 OK
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "anyio.py", line 1, in run
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "shop.py", line 3, in one
    | KeyError: 'colour'
    +------------------------------------
"""
BARE_MEMBER = """\
  + Exception Group Traceback (most recent call last):
  |   File "shop.py", line 1, in run
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | KeyError: 'colour'
    +------------------------------------
"""
JSON = """\
{"level": "error", "exception": "Traceback (most recent call last):\\n  x\\nKeyError: 1"}
{"level": "info", "message": "next, token=hunter2"}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "served.log"


def raised(log: Path, text: str, *, since_bytes: int = 0) -> str:
    log.write_text(text, "utf-8")
    return last_raised(str(log), since_bytes=since_bytes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            REFUSED,
            "sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection refused",
        ),
        (GROUP, "KeyError: 'colour'"),
        (BARE_MEMBER, "ExceptionGroup: several (1 sub-exception)"),
        (
            GROUP.partition("    |   File")[0] + "INFO: all is well\n",
            "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        ),
        ("INFO: all is well\n", ""),
        ("Traceback (most recent call last):\n  cut off here", ""),
    ],
    ids=["chained", "group", "bare member", "half a group", "none", "half"],
)
def test_the_last_exception_is_told_in_one_line(log: Path, text: str, told: str) -> None:
    assert raised(log, text) == told


@pytest.mark.parametrize("text", [JSON, f"{JSON[JSON.index('Traceback') :]}SECRET=hunter2"])
def test_a_log_whose_lines_hold_tracebacks_as_text_tells_nothing(log: Path, text: str) -> None:
    assert raised(log, text) == ""


def test_what_was_raised_before_the_load_is_not_its_reason(log: Path) -> None:
    assert raised(log, REFUSED, since_bytes=len(REFUSED)) == ""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("OSError: postgresql://me:s3:c/r@t@db:5/x", "OSError: postgresql://me:***@db:5/x"),
        ("OSError: postgresql://me@db:5/x", "OSError: postgresql://me@db:5/x"),
        ("OSError: host=db password='se cret' x", "OSError: host=db password=*** x"),
        (
            "DataError: invalid input for argument $1: 'a@b' (no)",
            "DataError: invalid input for argument $1",
        ),
    ],
    ids=["url", "no password", "conninfo", "bind value"],
)
def test_no_secret_and_no_bind_value_is_told(log: Path, message: str, told: str) -> None:
    assert raised(log, f"Traceback (most recent call last):\n  x\n{message}\n") == told


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            'NumericValueOutOfRange: value "4111111111111111" is out of range for type integer',
            'NumericValueOutOfRange: value "…" is out of range for type integer',
        ),
        (
            'DatetimeFieldOverflow: date/time field value out of range: "1984-13-01"',
            "DatetimeFieldOverflow: date/time field value out of range: …",
        ),
        (
            'InvalidTextRepresentation: malformed array literal: "{"a", se"cret',
            "InvalidTextRepresentation: malformed array literal: …",
        ),
        (
            'CharacterNotInRepertoire: invalid byte sequence for encoding "UTF8": 0x73 0x65',
            'CharacterNotInRepertoire: invalid byte sequence for encoding "UTF8"',
        ),
        (
            "asyncpg.exceptions.DataError: invalid input for query argument $1: 'secret' (no)",
            "asyncpg.exceptions.DataError: invalid input for query argument $1",
        ),
        (
            'UniqueViolation: unique constraint "k" DETAIL:  Key (email)=(a@b.c) already exists.',
            'UniqueViolation: unique constraint "k"',
        ),
        (
            "ValueError: Key (email)=(a@b.c) already exists.",
            "ValueError:",
        ),
        (
            r"Oops: IntegrityError('no\nDETAIL:  Failing row contains (1, a@b.c)')",
            "Oops: IntegrityError('no",
        ),
        (
            "DBAPIError: (Error) no [SQL: SELECT $1] [parameters: ('secret',)]",
            "DBAPIError: (Error) no",
        ),
        ("DBAPIError: (Error) no [parameters: ('secret',)]", "DBAPIError: (Error) no"),
        (
            "StatementError: (builtins.ValueError) could not convert string to float: 'secret'",
            "StatementError: (builtins.ValueError) could not convert string to float: …",
        ),
        (
            "LookupError: 'secret' is not among the defined enum values. Enum name: colour.",
            "LookupError: …",
        ),
    ],
    ids=lambda text: text.partition(":")[0],
)
def test_no_value_of_a_row_or_of_a_statement_is_told(log: Path, message: str, told: str) -> None:
    assert raised(log, f"Traceback (most recent call last):\n  x\n{message}\n") == told


@pytest.mark.parametrize(
    "message",
    [
        'UniqueViolation: duplicate key value violates unique constraint "users_email_key"',
        'ForeignKeyViolation: insert or update on table "posts" violates constraint "author"',
        'OperationalError: connection to server at "db", port 5432 failed: FATAL: role "me" is not',
        "TypeError: 'NoneType' object is not subscriptable",
    ],
)
def test_names_are_told_as_they_are(log: Path, message: str) -> None:
    assert raised(log, f"Traceback (most recent call last):\n  x\n{message}\n") == message


def test_a_long_message_is_cut(log: Path) -> None:
    told = raised(log, f"Traceback (most recent call last):\n  x\nKeyError: {'x' * 999}\n")

    assert (len(told), told[-1]) == (200, "…")


def test_of_a_log_without_end_only_the_end_is_read(log: Path) -> None:
    told = raised(log, REFUSED + "INFO: well\n" * 100_000)

    assert told == ""


def test_a_log_that_is_gone_tells_nothing(log: Path) -> None:
    assert (log_bytes(str(log)), last_raised(str(log), since_bytes=0)) == (0, "")
    assert (log_bytes(""), last_raised("", since_bytes=0)) == (0, "")
