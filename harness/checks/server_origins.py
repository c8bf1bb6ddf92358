"""Whose statement it is that a server ran and SQLAlchemy did not report, told by its text.

These texts belong to asyncpg (seen in 0.32), psycopg (3.3), psycopg2 (2.9) and SQLAlchemy's
dialects of them (2.1), and may change: no other module knows them. One that is not recognised is
said to be somebody else's, so the worst is a line that tells less.
"""

from __future__ import annotations

import re
from enum import StrEnum

__all__ = ["PING", "Origin", "origin_of", "verb_of"]


class Origin(StrEnum):
    """Where statements come from that are not round trips of SQLAlchemy's."""

    EXECUTEMANY = "executemany"
    """One round trip with several sets of parameters, which the driver sent one by one."""
    TRANSACTIONS = "transactions"
    """BEGIN, COMMIT, SAVEPOINT and their like."""
    PRE_PING = "pre-ping"
    """The pool looks whether a connection still lives before it gives it out."""
    CURSORS = "cursors"
    """Rows of one query, fetched in parts from a cursor on the server."""
    DRIVER = "driver"
    """The driver asks for types."""
    DIALECT = "first connection"
    """What a dialect asks on the first connection of an engine."""
    SERVER = "server"
    """The server looks whether deferred foreign keys hold, as a transaction commits."""
    OTHERS = "others"
    """Another client or process, or SQL past SQLAlchemy."""


PING = "SELECT ?"
"""How psycopg2's dialect looks whether a connection lives; asyncpg's begins a transaction and
psycopg's sends an empty statement, which the server does not count [seen in 2.1]."""
_CONTROL = re.compile(
    r"(?P<verb>BEGIN|START\ TRANSACTION|COMMIT|END|ROLLBACK\ TO|ROLLBACK|ABORT|SAVEPOINT|RELEASE"
    r"|PREPARE\ TRANSACTION|SET\ TRANSACTION)\b(?!\s*=)",
    re.IGNORECASE | re.VERBOSE,
)
_SAME = {"START TRANSACTION": "BEGIN", "END": "COMMIT", "ABORT": "ROLLBACK"}
_CURSOR = re.compile(r"(?P<verb>FETCH|MOVE|CLOSE) ", re.IGNORECASE)
_DRIVER = re.compile(
    r"""
    WITH\ RECURSIVE\ typeinfo_tree\(
    | SELECT\ t\.oid,\ t\.typelem\ AS\ elemtype,\ t\.typtype\ AS\ kind\ FROM\ pg_catalog\.pg_type
    | SELECT\ current_setting\(\?\)\ AS\ cur,\ set_config\(
    | SELECT\ set_config\(\?\)\Z
    | SELECT\ (?:t\.)?typname\ AS\ name,\ (?:t\.)?oid
    | SELECT\ t\.oid,\ typarray\ FROM\ pg_type\ t\ JOIN\ pg_namespace\ ns
    | SELECT\ typelem\ FROM\ pg_type
    | DEALLOCATE\b
    """,
    re.VERBOSE,
)
# Those that are not deferred run inside of the statement that they check.
_FOREIGN_KEY = re.compile(r"SELECT \? FROM ONLY .* FOR KEY SHARE OF x\Z")
_DIALECT = frozenset(
    {
        "select pg_catalog.version()",
        "select current_schema()",
        "show standard_conforming_strings",
        "show transaction isolation level",
        "show default_transaction_isolation",
    }
)


def verb_of(text: str) -> str | None:
    """``BEGIN``, ``COMMIT``, ``SAVEPOINT``, ``FETCH`` …; None for what is more than its verb.

    Savepoints and cursors have names that differ each time.
    """
    found = _CONTROL.match(text) or _CURSOR.match(text)
    if found is None:
        return None
    verb = found["verb"].upper()
    return _SAME.get(verb, verb)


def origin_of(text: str) -> Origin:
    """Who runs a statement, if SQLAlchemy does not.

    Args:
        text: Its shape in the server's form.
    """
    if _CONTROL.match(text):
        return Origin.TRANSACTIONS
    if text in _DIALECT:
        return Origin.DIALECT
    if _DRIVER.match(text):
        return Origin.DRIVER
    if _FOREIGN_KEY.match(text):
        return Origin.SERVER
    return Origin.CURSORS if _CURSOR.match(text) else Origin.OTHERS
