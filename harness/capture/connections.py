"""Which database connection something ran on: a number that no other connection gets.

A module of its own because statements and transactions both ask. The address of an object would not
do: the next connection may get the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy.engine import Connection

__all__ = ["KnownConnection", "known_connection"]

_IN_INFO = "harness_connection"


@dataclass(slots=True, eq=False)
class KnownConnection:
    """What is known of a database connection; lives in its ``info`` and dies with it."""

    number: int
    database: str
    dialect: str
    search_path_key: int = 0
    """A key of the statement that set it last; 0 while nobody has."""


def known_connection(connection: Connection) -> KnownConnection:
    """What is known of a connection that is open."""
    info = connection.info
    known: KnownConnection | None = info.get(_IN_INFO)
    if known is None:
        known = info[_IN_INFO] = KnownConnection(
            number=next(_numbers()),
            database=connection.engine.url.database or "",
            dialect=f"{connection.dialect.name}+{connection.dialect.driver}",
        )
    return known


@cache
def _numbers() -> Iterator[int]:
    return itertools.count(1)
