"""The shape of a statement as a PostgreSQL tells it, so that it can be found among SQLAlchemy's.

The server numbers every constant like a parameter, also those that belong to a compiled statement's
shape, and has seen what SQLAlchemy expands or the driver writes out. Both texts, the server's and a
`Fingerprint`'s, come to the same form here; a `Fingerprint` of this form is not one of the others.
"""

from __future__ import annotations

import re

from harness.capture.fingerprint import Fingerprint, fingerprint

__all__ = ["server_shape"]

# Constants by name; `IS NULL` and `IS TRUE` are tests, and NOT NULL is a column's.
_NAMED_CONSTANT = re.compile(
    r"""(?<![\w."])(?<!\bIS\ )(?<!\bIS\ NOT\ )(?<!\bNOT\ (?=NULL))(?:TRUE|FALSE|NULL)(?![\w"])""",
    re.IGNORECASE | re.VERBOSE,
)
# The field's name is a constant to the server [seen in 15].
_FIELD = re.compile(r"\bEXTRACT\(\w+ FROM ", re.IGNORECASE)
_ARRAY = re.compile(r"\bARRAY\[\?(?:, ?\?)*\]")  # psycopg2 writes lists out
_TUPLES = re.compile(r"\bIN \(\(\?\)\)")
# SQLAlchemy expands an empty list to one that nothing is in.
_EMPTY_LIST = re.compile(r"(?P<list>\bIN \(\?\)) (?:AND \(\? != \?\)|OR \(\? = \?\))")
# psycopg and psycopg2 stream through a cursor on the server, with a name that is never used again.
_CURSOR = re.compile(
    r"DECLARE (?:\w+|\"[^\"]+\") (?:(?:BINARY|INSENSITIVE|ASENSITIVE|NO SCROLL|SCROLL) )*"
    r"CURSOR(?: WITH(?:OUT)? HOLD)? FOR ",
    re.IGNORECASE,
)


def server_shape(sql: str) -> Fingerprint:
    """The common shape of a server's text and of SQLAlchemy's.

    Args:
        sql: The text in ``pg_stat_statements``, or the ``text`` of a `Fingerprint`.
    """
    text = fingerprint(sql, is_compiled=False).text.removesuffix(";").rstrip()
    text = _CURSOR.sub("", text, count=1)
    text = _ARRAY.sub("?", _FIELD.sub("EXTRACT(? FROM ", _NAMED_CONSTANT.sub("?", text)))
    # Lists and casts of what has just become a placeholder.
    text = _TUPLES.sub("IN (?)", fingerprint(text, is_compiled=False).text)
    return fingerprint(_EMPTY_LIST.sub(r"\g<list>", text), is_compiled=False)
