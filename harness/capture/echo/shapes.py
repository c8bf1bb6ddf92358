"""The shape of a statement as the log shows it, equal to the shape that events give.

The log has the text that goes to the driver: IN lists are expanded, the rows of a bulk INSERT are
written out, and that text is cut in the middle. Here this is undone as far as possible.
"""

from __future__ import annotations

import re

from harness.capture.fingerprint import Fingerprint, fingerprint

__all__ = ["is_transaction_control", "shape_of"]

_LONGEST_SHAPED = 8192
_CONTROL = re.compile(
    r"\s*(?:SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|SET\s+TRANSACTION)\b", re.IGNORECASE
)
# How dialects render an empty list: PostgreSQL, and the rest.
_EMPTY_LIST = re.compile(
    r"IN \((?:NULL\) (?:AND \(1 != 1\)|OR \(1 = 1\))"
    r"|SELECT [^()]*? FROM \(SELECT [^()]*?\)(?: as _empty_set)? WHERE 1 ?!= ?1\))"
)
_PARAMETER = r"(?:\$\d+|%\(\w+\)s|%s|\?|:\w+)(?:::[\w ]+(?:\(\d+\))?(?:\[\])*)?"
_LIST = re.compile(rf"\(\s*{_PARAMETER}(?:,\s*{_PARAMETER})*\s*\)")
_CUT = re.compile(r" \.\.\. \d+ characters truncated \.\.\. ")
_ROWS = re.compile(r"(?P<head>.*?\bVALUES )(?P<row>\((?:[^()]|\([^()]*\))*\))", re.DOTALL)
_SENTINEL = re.compile(r", \d+\)\Z")
_BEHIND = (
    ") AS imp_sen(",
    " RETURNING ",
    " ON CONFLICT ",
    " ON DUPLICATE ",
    " AS new ON DUPLICATE ",
)
_UNKNOWN = " ..."
"""Ends a shape whose text the log does not hold in full."""
# SQLAlchemy's own layout: a compiled statement keeps its literals, a written one does not. Writes
# look alike either way, and a password may be in one.
_RENDERED = re.compile(r" \nFROM | \nWHERE |\A\n(?:CREATE|DROP) (?:TABLE|(?:UNIQUE )?INDEX) ")


def is_transaction_control(sql: str) -> bool:
    """Whether a statement begins, ends or marks a transaction: no statement of its own."""
    return _CONTROL.match(sql) is not None


def shape_of(sql: str, *, is_raw: bool, is_batch: bool = False) -> Fingerprint:
    """Derive the shape of a statement from its text in the log.

    Args:
        sql: The message.
        is_raw: Whether SQLAlchemy's compiler had no part in it.
        is_batch: Whether it is a batch of a bulk INSERT, which holds a row for every object.
    """
    text = _single_row(sql) if is_batch else sql
    if "IN (" in text:
        text = _EMPTY_LIST.sub("IN (?)", text)
    if len(text) > _LONGEST_SHAPED:  # lists of values are what makes a text long
        text = _LIST.sub("(?)", text)[:_LONGEST_SHAPED]
    return fingerprint(text, is_compiled=not is_raw and _RENDERED.search(text) is not None)


def _single_row(sql: str) -> str:
    """The INSERT with one of its rows, which is what was compiled."""
    found = _ROWS.match(sql)
    if found is None or _CUT.search(found["row"]):
        known = sql if found is None else found["head"]
        cut = _CUT.search(known)
        return known if found is None and cut is None else f"{_CUT.split(known)[0]}{_UNKNOWN}"
    row = _SENTINEL.sub(")", found["row"])
    return found["head"] + row + _behind_the_rows(sql[found.end() :])


def _behind_the_rows(rest: str) -> str:
    for mark in _BEHIND:
        if rest.startswith(mark):
            return rest
        at = rest.rfind(f"){mark}")
        if at >= 0:
            return rest[at + 1 :]
    # The end that is left may begin behind the rows: then nobody knows what is missing.
    return "" if rest.endswith(")") else _UNKNOWN if _CUT.search(rest) else rest
