"""Decides which PostgreSQL is used: the one that was asked for, or the first that can be had.

There is no silent second best: a SQLite in its place would pass tests that PostgreSQL fails, so it
is taken where it was asked for, and only there. What was looked for, why it was not there and what
to do about it is part of the error.
"""

from __future__ import annotations

import difflib
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import util
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from harness.database.sources import EXTENSIONS_REMEDY, INSTALL, SOURCES, Missing, Source, Wish
from harness.errors import ConfigurationError, NoPostgresError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.database.server import PostgresServer

__all__ = ["SQLITE", "URL_MARK", "Foresight", "find_server", "foresee", "no_server_wanted"]

AUTO = "auto"
SQLITE = "sqlite"
"""The choice of no server at all."""
URL_MARK = "://"
OWN_SERVER = "HARNESS_POSTGRES=postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True)
class Foresight:
    """What `find_server` is going to take, as far as a look can tell."""

    place: str
    """A source's name, ``"sqlite"``, ``"none"``, or the host of a URL."""
    passed_over: tuple[Missing, ...] = ()
    """What was looked at before."""


def find_server(
    choice: str = AUTO, *, wish: Wish | None = None, sources: Sequence[Source] = SOURCES
) -> PostgresServer:
    """The PostgreSQL to work on. Whoever calls this closes it.

    Args:
        choice: ``"auto"``, the name of a source, or the URL of a server of one's own.
        wish: What a server that is started for us has to offer; a server of one's own is used as
            it is, if it has the extensions.
        sources: Where to look, best first.

    Raises:
        ConfigurationError: The choice is unknown, or its URL cannot be used.
        NoPostgresError: Nothing that was probed serves, or none is wanted.
        ServerStartError: A server could be had and does not start.
    """
    wish = wish or Wish()
    if choice == SQLITE:
        raise no_server_wanted()
    if URL_MARK in choice:
        return _with_extensions(_external(choice), wish)
    missing: list[Missing] = []
    for source in _chosen(choice, sources):
        why_not = source.why_not(wish)
        if why_not is None:
            try:
                return _with_extensions(source.start(wish), wish)
            except NoPostgresError as error:
                why_not = Missing(source.name, error.what, error.remedy)
        missing.append(why_not)
    raise _nothing_found(missing)


def foresee(
    choice: str = AUTO, *, wish: Wish | None = None, sources: Sequence[Source] = SOURCES
) -> Foresight:
    """What `find_server` would take, without starting or connecting to anything.

    Raises:
        ConfigurationError: The choice is unknown.
    """
    if choice == SQLITE:
        return Foresight(SQLITE)
    if URL_MARK in choice:
        return Foresight(_host_of(choice))
    passed_over: list[Missing] = []
    for source in _chosen(choice, sources):
        why_not = source.why_not(wish or Wish())
        if why_not is None:
            return Foresight(source.name, tuple(passed_over))
        passed_over.append(why_not)
    return Foresight("none", tuple(passed_over))


def _chosen(choice: str, sources: Sequence[Source]) -> Iterator[Source]:
    if choice != AUTO and choice not in {source.name for source in sources}:
        raise _unknown(choice, [AUTO, *(source.name for source in sources), SQLITE])
    return (source for source in sources if choice in {AUTO, source.name})


def _with_extensions(server: PostgresServer, wish: Wish) -> PostgresServer:
    """The server if it has the extensions; otherwise it is closed again."""
    if not wish.extensions:
        return server
    from harness.database.admin import available_extensions  # noqa: PLC0415 - needs the extra

    with ExitStack() as on_failure:
        on_failure.callback(server.close)
        lacking = wish.extensions - available_extensions(server.address)
        if not lacking:
            on_failure.pop_all()
            return server
    names = ", ".join(sorted(lacking))
    what = f"{server.origin} lacks the extensions that the project creates: {names}"
    raise NoPostgresError(what, remedy=EXTENSIONS_REMEDY)


def _external(url: str) -> PostgresServer:
    if util.find_spec("asyncpg") is None:
        what = "Connecting to the PostgreSQL server of the given URL needs asyncpg."
        raise NoPostgresError(what, remedy=INSTALL)
    from harness.database.external import ExternalServer  # noqa: PLC0415 - needs the extra

    return ExternalServer.at(url)


def _host_of(url: str) -> str:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "the configured URL"  # which cannot be read: whoever needs the server is told
    return f"{parsed.host or 'localhost'}:{parsed.port or 5432}"


def _unknown(choice: str, known: Sequence[str]) -> ConfigurationError:
    nearest = (*difflib.get_close_matches(choice.lower(), known, n=1), AUTO)[0]
    what = f"Unknown choice of PostgreSQL: {choice!r}."
    names = ", ".join(f'"{name}"' for name in known)
    remedy = f'Did you mean "{nearest}"? Known are {names} and a URL: postgresql://…'
    return ConfigurationError(what, remedy=remedy)


def no_server_wanted() -> NoPostgresError:
    """What asks for a PostgreSQL is told that the project works without."""
    return NoPostgresError(
        "this needs a PostgreSQL, and the project works on SQLite",
        where='postgres = "sqlite" in [tool.harness], or HARNESS_POSTGRES=sqlite',
        remedy="postgres = \"embedded\" starts one without Docker; on SQLite, 'own_database_url' "
        "is where a test's file is",
    )


def _nothing_found(missing: Sequence[Missing]) -> NoPostgresError:
    probed = "\n".join(f"  {place.name}: {place.why_not}" for place in missing)
    remedies = [*dict.fromkeys(place.remedy for place in missing), OWN_SERVER]
    what = f"No PostgreSQL to test against; probed {len(missing)}."
    return NoPostgresError(what, where=probed, remedy="Either\n  " + "\n  or ".join(remedies))
